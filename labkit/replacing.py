"""What methods share that put another Weight in the place of a trained one, and train it from there.

    nearest:  min ||W - S||_F over the weights S that obey a rule;      random:  S drawn, with E ||S||_F^2 = ||W||_F^2

A trained weight was never asked to obey a rule, so the nearest one that does loses nearly all of it, and training has
to win it back. Training from the beginning starts from random numbers of the right size instead.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Hashable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from labkit.methods import LeafMethod, Picture, numbers
from labkit.weights import Weight

STARTS = ("nearest", "random")


class Replacing(LeafMethod):
    """A method that replaces weights; a subclass says which one is the nearest, draws one, and draws a picture of it.

    `start` is "nearest" or "random"; the dice are torch's at the time of `prepare`.
    """

    matrices = True

    def __init__(self, start: str = "nearest"):
        if start not in STARTS:
            raise ValueError(f"start is {start!r}, but must be one of {', '.join(STARTS)}")
        self.start = start

    def nearest(self, weight: Tensor, value: float, seed: int) -> Weight:
        """Return the Weight nearest to a trained weight, or as near as this method can find."""
        raise NotImplementedError(f"{type(self).__name__} must find the nearest weight")

    def draw(self, shape: tuple[int, ...], value: float, std: float, generator: torch.Generator) -> Weight:
        """Draw a Weight whose entries have mean 0 and the standard deviation `std`."""
        raise NotImplementedError(f"{type(self).__name__} must draw a weight")

    def show(self, fit: ReplacingFit, value: float, name: str) -> Picture:
        """Draw what stands in the place of one weight."""
        raise NotImplementedError(f"{type(self).__name__} must have a picture")

    def fit(self, leaf: Weight) -> ReplacingFit:
        return ReplacingFit(self, numbers(leaf).cpu(), int(torch.randint(2**31, ())))


@dataclass
class ReplacingFit:
    """One trained weight, and what was found for it so far."""

    method: Replacing
    values: Tensor
    seed: int
    _found: dict[Hashable, Weight] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # two threads may ask for one value

    def weight(self, value: Hashable) -> Weight:
        """Return the Weight at a value, computed when it is first asked for; each time a copy."""
        with self._lock:
            if value not in self._found:
                self._found[value] = self._make(value)
            return copy.deepcopy(self._found[value])

    def _make(self, value: float) -> Weight:
        if self.method.start == "nearest":
            return self.method.nearest(self.values, value, self.seed)
        std = float(self.values.square().mean().sqrt())
        return self.method.draw(tuple(self.values.shape), value, std, torch.Generator().manual_seed(self.seed))

    def at(self, value: float) -> Weight | None:
        """Return the Weight; None where it takes no fewer numbers than the dense one."""
        weight = self.weight(value)
        return weight if stored(weight) < self.values.numel() else None

    def kept(self, weight: Weight) -> str:
        """Say how much of the trained weight another keeps, or that it was drawn."""
        if self.method.start == "random":
            return "drawn"
        left = (numbers(weight).cpu() - self.values).square().sum() / self.values.square().sum().clamp_min(1e-30)
        return f"{100 * (1 - float(left)):.1f} % of the squared norm kept"

    def picture(self, value: float, name: str) -> Picture:
        return self.method.show(self, value, name)


def stored(weight: nn.Module) -> int:
    """Count the numbers that a weight, or a network, stores."""
    return sum(parameter.numel() for parameter in weight.parameters())
