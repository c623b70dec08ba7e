"""Loss-aware binarization: the scale that costs the loss least, not the weights (Hou 2017).

Near w the loss rises by about 1/2 sum_i d_i (w_i - alpha b_i)^2, d its curvature along each weight.
For each layer the smallest rise is at

    b = sign(w),   alpha = sum_i d_i |w_i| / sum_i d_i,   d = (eps + sqrt(v)) / rate,

where v, the mean of the squared gradients, is what Adam keeps anyway. The learning rate and Adam's bias
correction are one factor for the whole layer, which alpha does not see, so d = eps + sqrt(v) here.
Before training no gradient has been seen: then v is the diagonal of the Gauss-Newton matrix, the mean
of squared gradients for answers drawn from the network's own probabilities.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from torch import Tensor, nn

from labkit.curvature import diagonal
from labkit.data import Data
from labkit.methods import numbers, sound_leaves
from labkit.quantization.layerwise import Layerwise, LayerwiseCurve, LayerwiseFit
from labkit.weights import LatentSigns

EPS = 1e-8  # Adam's: a weight without any gradient still counts a little
IMAGES = 200  # for the curvature before training


def best_scale(values: Tensor, curvature: Tensor) -> Tensor:
    """Return alpha = sum d |w| / sum d, shape (1,), for weights w and positive d of one shape (Hou 2017).

    >>> import torch
    >>> best_scale(torch.tensor([1.0, -2.0]), torch.tensor([3.0, 1.0])).tolist()
    [1.25]
    """
    return ((curvature * values.abs()).sum() / curvature.sum()).view(1)


class LossAwareSigns(LatentSigns):
    """A weight that is its signs times one scale, weighted by the curvature d > 0 of the same shape."""

    def __init__(self, values: Tensor, curvature: Tensor):
        super().__init__(values)
        self.register_buffer("curvature", curvature)

    def scale(self) -> Tensor:
        return best_scale(self.values, self.curvature)

    def constrain(self, state: Mapping[str, Tensor]) -> None:
        if "exp_avg_sq" not in state:
            raise ValueError("loss-aware binarization reads Adam's squares: give a recipe with optimiser='adam'")
        self.curvature = EPS + state["exp_avg_sq"].sqrt()


class LossAware(Layerwise):
    """Binarize each layer with the scale that raises the loss least; needs data for the curvature."""

    title = "Loss-aware binarization"
    idea = (
        "Each layer becomes its signs times one scale, in which each weight counts as much as the loss bends along it."
    )
    equation = r"\alpha = \frac{\sum_i d_i |w_i|}{\sum_i d_i}, \quad d = \epsilon + \sqrt{v}"
    stores = "1 bit for each weight, and one scale for each layer"
    drawback = "The curvature is only a diagonal, and a guess: Adam's mean of squared gradients."
    paper = "hou2017"

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> LayerwiseCurve:
        leaves = sound_leaves(model, where)
        if data is None:
            raise ValueError("loss-aware binarization needs pictures for the curvature: call prepare(model, data)")
        squares = diagonal(model, data, IMAGES, where=where) if leaves else {}
        fits = {}
        for path, leaf in leaves.items():
            values = numbers(leaf).clone()
            make = functools.partial(LossAwareSigns, values, EPS + squares[path].sqrt())
            fits[path] = LayerwiseFit(self, values, make)
        return LayerwiseCurve(self, model, self.knob_for(fits), fits)
