"""Real numbers behind a quantized weight, for the time of training: Courbariaux 2015."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from labkit.weights.base import Weight, spread
from labkit.weights.signs import Signs


class Latent(Weight):
    """Numbers that training moves in small steps, while the network computes with their quantized form.

        forward: w^ = project(w),   backward: dL/dw = dL/dw^   (the straight-through estimator)

    Rounding has the derivative 0 almost everywhere, so its true gradient would train nothing. Passed
    straight through, small steps add up in w until w^ changes. `values` have any shape. A subclass
    defines `project` and `settle`, and may define `constrain`. A Latent is never saved: the settled
    form is (Courbariaux 2015; Bengio 2013).

    >>> class Whole(Latent):
    ...     def project(self):
    ...         return self.values.round()
    >>> weight = Whole(torch.tensor([0.2, 1.7]))
    >>> weight().sum().backward()
    >>> weight().tolist(), weight.values.grad.tolist()
    ([0.0, 2.0], [1.0, 1.0])
    """

    stored = False

    def __init__(self, values: Tensor):
        super().__init__()
        self.values = nn.Parameter(values.detach().clone())

    @property
    def shape(self) -> torch.Size:
        return self.values.shape

    def project(self) -> Tensor:
        """Compute the quantized weight."""
        raise NotImplementedError(f"{type(self).__name__} must compute its quantized weight")

    def settle(self) -> Weight:
        """Return the Weight that stores the quantized form and computes exactly `project()`."""
        raise NotImplementedError(f"{type(self).__name__} must say how it is stored")

    def constrain(self, state: Mapping[str, Tensor]) -> None:
        """Do what the method does after each step; `state` is what the optimiser keeps for `values`."""

    def forward(self) -> Tensor:
        with torch.no_grad():
            projected = self.project()
        return projected + (self.values - self.values.detach())  # + 0, whose gradient is 1

    def arguments(self) -> dict:
        raise ValueError(f"a {type(self).__name__} is only for training: call labkit.weights.settle(model) first")


class LatentSigns(Latent):
    """A Latent whose quantized form is a sign and a scale: w^ = scale() * sign(w), with sign(0) = 1.

    >>> class Halves(LatentSigns):
    ...     def scale(self):
    ...         return torch.tensor([0.5])
    >>> Halves(torch.tensor([-0.2, 0.0]))().tolist()
    [-0.5, 0.5]
    """

    def scale(self) -> Tensor:
        """Compute the scale, (1,) or one for each row (out,)."""
        raise NotImplementedError(f"{type(self).__name__} must compute its scale")

    def project(self) -> Tensor:
        return spread(self.scale(), self.values) * torch.where(self.values >= 0, 1.0, -1.0)

    @torch.no_grad()
    def settle(self) -> Weight:
        return Signs((self.values >= 0).to(torch.uint8), self.scale())


def settle(model: nn.Module) -> nn.Module:
    """Return the network that is measured, saved and shown: a copy in which each Latent has its stored form.

    A network without a Latent is returned as it is.

    >>> class Halves(LatentSigns):
    ...     def scale(self):
    ...         return torch.tensor([0.5])
    >>> settle(nn.Sequential(Halves(torch.tensor([[-0.2, 0.1]]))))
    Sequential(
      (0): Signs(
        1 x 2
        (scale): Dense(1)
      )
    )
    """
    settled = {id(part): part.settle().train(part.training) for part in model.modules() if isinstance(part, Latent)}
    return copy.deepcopy(model, settled) if settled else model
