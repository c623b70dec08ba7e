"""Binary weights with a scale for each filter: the weight half of XNOR-Net (Rastegari 2016).

    minimise  || w - alpha b ||^2  over alpha and the signs b, for each filter w of n weights:
    b = sign(w),   alpha = (1/n) sum_i |w_i|,

since for given signs alpha = w'b / n, and what is left is ||w||^2 - (w'b)^2 / n, the smaller the larger
w'b is. The gradient passes straight through: dL/dw = dL/dw^. The paper's own gradient differs from it
by about the factor alpha for a whole filter, and Adam divides that out of its steps.
"""

from __future__ import annotations

from torch import Tensor

from labkit.quantization.layerwise import Layerwise
from labkit.weights import LatentSigns


def mean_magnitudes(values: Tensor) -> Tensor:
    """Return the mean of |w| of each row or filter, the first dimension; of a list of numbers, one mean.

    Shape (out,) for weights (out, ...), (1,) for (n,) (Rastegari 2016).

    >>> import torch
    >>> mean_magnitudes(torch.tensor([[1.0, -3.0], [0.0, 5.0]])).tolist()
    [2.0, 2.5]
    """
    return values.abs().view(len(values) if values.ndim > 1 else 1, -1).mean(1)


class ScaledSigns(LatentSigns):
    """A weight whose rows or filters are their mean magnitude times their signs (Rastegari 2016)."""

    def scale(self) -> Tensor:
        return mean_magnitudes(self.values)


class BinaryScaled(Layerwise):
    """Replace each filter by its signs and its mean magnitude, and go on training."""

    title = "Binary weights with scales"
    idea = "Each filter becomes its signs times one scale, the best in least squares: its mean magnitude."
    equation = r"\hat w = \alpha \, \mathrm{sign}(w), \quad \alpha = \frac{1}{n} \sum_i |w_i|"
    stores = "1 bit for each weight, and one scale for each filter"
    drawback = "The scale follows the weights alone: all count alike, however much they matter to the loss."
    paper = "rastegari2016"

    def latent(self, values: Tensor) -> ScaledSigns:
        return ScaledSigns(values)
