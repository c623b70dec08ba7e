"""BinaryConnect: one bit for each weight, learnt by real numbers behind it (Courbariaux 2015).

    w_b = H sign(w)                               (deterministic), or
    w_b = H with probability hardsig(w / H), else -H       (stochastic), hardsig(x) = clip((x + 1) / 2, 0, 1),

in the forward and the backward pass. The gradient in w_b is applied to w, and w is then clipped to
[-H, H]: beyond, it would only take longer to come back.

The authors use H = 1, or for each layer the coefficient of Glorot 2010, sqrt(1.5 / (fan_in + fan_out)).
With H = 1 every layer needs a batch normalisation behind it; the lab has networks without one, so it
uses the coefficient. For H = 1 they also multiply the learning rate of each layer, by 1 / g with Adam
and 1 / g^2 with SGD, g the coefficient. At H = g that is the plain rate, so there is nothing to multiply:
a normalised layer computes the same with weights g times as large, its gradient is 1 / g times as large,
and so, measured in weights, are Adam's steps; SGD's are 1 / g^2 times as large.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from labkit.quantization.layerwise import Layerwise
from labkit.weights import Dense, LatentSigns, Weight


def glorot(shape: torch.Size) -> float:
    """Return the coefficient sqrt(1.5 / (fan_in + fan_out)) of a weight (out, in, ...) (Glorot 2010).

    A fan is the number of weights that meet in one output or one input.

    >>> glorot(torch.Size((300, 784))) == math.sqrt(1.5 / 1084)
    True
    """
    window = math.prod(shape[2:])
    return math.sqrt(1.5 / (window * (shape[0] + shape[1])))


class ConnectedSigns(LatentSigns):
    """A weight that is +H or -H: at random while a stochastic one trains, by its sign otherwise.

    H is the Glorot coefficient of the shape. Numbers without rows and columns, such as those that
    pruning left of a layer, have none: their H is their mean magnitude (Courbariaux 2015).

    >>> ConnectedSigns(torch.tensor([[0.1, -0.2], [0.3, 9.0]])).settle()().unique().tolist()
    [-0.612..., 0.612...]
    """

    def __init__(self, values: Tensor, stochastic: bool = False):
        height = glorot(values.shape) if values.ndim > 1 else float(values.abs().mean())
        super().__init__(values.clamp(-height, height))
        self.height, self.stochastic = height, stochastic

    def scale(self) -> Tensor:
        return self.values.new_tensor([self.height])

    def project(self) -> Tensor:
        if not self.stochastic:
            return super().project()
        if not self.training:
            return self.values  # the mean of all that may be drawn
        chance = ((self.values / self.height + 1) / 2).clamp(0, 1)
        return self.height * (2 * torch.bernoulli(chance) - 1)

    def settle(self) -> Weight:
        return Dense(self.values.detach()) if self.stochastic else super().settle()

    @torch.no_grad()
    def constrain(self, state: Mapping[str, Tensor]) -> None:
        self.values.clamp_(-self.height, self.height)


class BinaryConnect(Layerwise):
    """Train with one bit for each weight, and update the real numbers behind it.

    The paper tests only the deterministic form with one bit. The stochastic form is a regulariser: it is
    tested, and stored here, with its real numbers, so its file is not smaller. Its draws come from
    torch's global generator.
    """

    title = "BinaryConnect"
    idea = (
        "The network computes with the signs of its weights. "
        "Training moves real numbers behind them, until a sign changes."
    )
    equation = r"w_b = H \, \mathrm{sign}(w), \quad w \leftarrow \mathrm{clip}(w - \eta \, \partial L / \partial w_b)"
    stores = "1 bit for each weight, and one number H for each layer"
    drawback = "It must be trained for long, and large convolutional networks lose much accuracy."
    paper = "courbariaux2015"

    def __init__(self, stochastic: bool = False):
        self.stochastic = stochastic

    def latent(self, values: Tensor) -> ConnectedSigns:
        return ConnectedSigns(values, self.stochastic)
