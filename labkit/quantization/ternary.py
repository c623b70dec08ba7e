"""Ternary weights: -alpha, 0 or alpha, with the small weights at 0 (Li 2016b).

    minimise  || w - alpha t ||^2  over alpha > 0 and t in {-1, 0, 1}^n:
    t_i = sign(w_i) [ |w_i| > Delta ],   alpha = mean of the |w_i| above Delta,   Delta about 0.7 mean |w|.

For a given threshold Delta this alpha is the best; the threshold is close to the best one for weights
that are spread evenly or like a Gaussian. Zeros are frequent, so Huffman's code takes less than the
2 bits that three values need at a fixed length.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.methods import Knob
from labkit.quantization.layerwise import Layerwise
from labkit.weights import Affine, Latent, Weight

SHARE = 0.7  # of the mean magnitude is the threshold


def ternary(values: Tensor, share: float = SHARE) -> tuple[Tensor, Tensor]:
    """Return t in {-1, 0, 1}, of the weights' shape, and alpha (1,), for the threshold share * mean |w| (Li 2016b).

    >>> [part.tolist() for part in ternary(torch.tensor([0.1, -2.0, 3.0]))]
    [[0.0, -1.0, 1.0], [2.5]]
    """
    magnitude = values.abs()
    kept = magnitude > share * magnitude.mean()
    alpha = (magnitude * kept).sum() / kept.sum().clamp(min=1)
    return values.sign() * kept, alpha.view(1)


class LatentTernary(Latent):
    """A Latent whose quantized form is alpha t, t in {-1, 0, 1} (Li 2016b).

    >>> LatentTernary(torch.tensor([0.1, -2.0, 3.0]))().tolist()
    [0.0, -2.5, 2.5]
    """

    def scale(self) -> Tensor:
        """Compute alpha, shape (1,)."""
        return ternary(self.values.detach())[1]

    def project(self) -> Tensor:
        signs, alpha = ternary(self.values)
        return alpha * signs

    @torch.no_grad()
    def settle(self) -> Weight:
        signs, alpha = ternary(self.values)
        codes = (signs + 1).to(torch.int32)
        return Affine(codes, alpha, codes.new_ones(1))


class Ternary(Layerwise):
    """Give each weight of a layer one of three values, and go on training."""

    title = "Ternary weights"
    idea = "Small weights become 0, the others one scale with their sign; a threshold says which are small."
    equation = r"\hat w = \alpha \, \mathrm{sign}(w) \, [\,|w| > \Delta\,], \quad \Delta = 0.7 \cdot \mathrm{mean}\,|w|"
    stores = "at most 2 bits for each weight, fewer after Huffman coding, and one scale for each layer"
    drawback = "The threshold is a rule of thumb that knows neither the layer nor the loss."
    paper = "li2016b"
    knob = Knob("ternary layers", "ternary layers, the largest first", (0, 1), 0)
    word = "ternary"
    levels = (-1.0, 0.0, 1.0)

    def latent(self, values: Tensor) -> LatentTernary:
        return LatentTernary(values)
