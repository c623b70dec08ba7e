"""Methods that draw a network anew, smaller than the one they start from, and train it from the beginning."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from torch import nn

from labkit import layers
from labkit.channels import image_shape
from labkit.data import Data
from labkit.macs import calls, counted
from labkit.methods import Curve, Knob, Method, Picture, sound_leaves
from labkit.replacing import stored
from labkit.train import Recipe

WIDTH = Knob("width", "width of the network", (0.25, 0.5, 0.75, 0.875, 1.0), 1.0, percent=True)


class DrawnCurve(Curve):
    """Untrained networks, one for each value, whose numbers the same dice draw."""

    def __init__(self, method: Drawn, model: nn.Module, shape: tuple[int, int, int], seed: int):
        super().__init__(method, model, method.knob)
        self.image_shape, self.seed = shape, seed

    def at(self, value: float) -> nn.Module:
        random = torch.Generator().manual_seed(self.seed)
        return self.method.draw(self.model, self.image_shape, self.knob.check(value), random)

    def picture(self, value: float, layer: str) -> Picture:
        """Bars of the multiplications of each layer, before (pale) and now."""
        small = self.at(value)
        names = list(layers.layers(self.model))
        now, before = (self._macs(model, names) for model in (small, self.model))
        total, was = sum(now.values()), sum(before.values())
        title = f"{total:,} multiplications for {was:,}, {stored(small):,} numbers for {stored(self.model):,}"
        return Picture(
            kind="bars",
            title=title,
            x="layer",
            y="multiplications for a picture",
            values=np.array([now[name] for name in names], float),
            marks=np.array([before[name] for name in names], float),
            labels=tuple(names),
            text=f"{self.method.title}: {title}. Behind each bar, the original's.",
        )

    def _macs(self, model: nn.Module, names: list[str]) -> Counter[str]:
        """Add up the multiplications of each layer of the original, and of what stands in its place."""
        found: Counter[str] = Counter()
        for use in calls(model, self.image_shape):
            found[next(name for name in names if f"{use[0]}.".startswith(f"{name}."))] += counted(model, [use])
        return found


class Drawn(Method):
    """A method whose networks are drawn; a subclass says how. The dice are torch's at the time of `prepare`."""

    recipe = Recipe(epochs=1, learning_rate=0.1)
    curve: type[DrawnCurve] = DrawnCurve

    def draw(self, model: nn.Module, shape: tuple[int, int, int], value: float, random: torch.Generator) -> nn.Module:
        """Draw an untrained network at a value of the knob, for pictures of `shape`."""
        raise NotImplementedError(f"{type(self).__name__} must draw a network")

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> DrawnCurve:
        if where is not None:
            raise ValueError(f"where is {where!r}, but the network is drawn as a whole: leave where out")
        sound_leaves(model)
        return self.curve(self, model, image_shape(model, data), int(torch.randint(2**31, ())))
