"""What compact designs share: each convolution becomes a row of smaller ones, and all is trained from the beginning.

Between the small ones there is a ReLU, so that no trained filter says what they should be. The first convolution, which
reads the picture, stays plain, and so do those of 1 x 1.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import nn

from labkit import layers
from labkit.channels import image_shape
from labkit.data import Data
from labkit.filters.base import convolutions
from labkit.layers import Conv2d
from labkit.macs import calls, counted
from labkit.methods import Curve, Method, Picture, sound_leaves
from labkit.replacing import stored
from labkit.thinner import thinner
from labkit.train import Recipe


class Compact(Method):
    """A design of a network; a subclass says how wide it is, and what stands in the place of a convolution."""

    recipe = Recipe(epochs=1, learning_rate=0.1)

    def width(self, value: float) -> float:
        """Return the share of filters that each layer has."""
        return 1.0

    def block(self, layer: Conv2d, value: float, random: torch.Generator) -> nn.Module | None:
        """Return untrained layers for a convolution; None where it stays plain."""
        raise NotImplementedError(f"{type(self).__name__} must say what stands in the place of a convolution")

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> CompactCurve:
        if where is not None:
            raise ValueError(f"where is {where!r}, but a compact network is drawn as a whole: leave where out")
        sound_leaves(model)
        convolutions(model)  # refuse a network without any
        return CompactCurve(self, model, image_shape(model, data), int(torch.randint(2**31, ())))


class CompactCurve(Curve):
    """Untrained networks, one for each value, whose numbers the same dice draw."""

    def __init__(self, method: Compact, model: nn.Module, image_shape: tuple[int, int, int], seed: int):
        super().__init__(method, model, method.knob)
        self.image_shape, self.seed = image_shape, seed

    def at(self, value: float) -> nn.Module:
        value, random = self.knob.check(value), torch.Generator().manual_seed(self.seed)
        small = thinner(self.model, self.image_shape, self.method.width(value), random)
        made = {path: self.method.block(small.get_submodule(path), value, random) for path in convolutions(small)[1:]}
        return layers.replace(small, {path: block for path, block in made.items() if block is not None})

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
            values=torch.tensor([float(now[name]) for name in names]).numpy(),
            marks=torch.tensor([float(before[name]) for name in names]).numpy(),
            labels=tuple(names),
            text=f"{self.method.title}: {title}. Behind each bar, the plain network's.",
        )

    def _macs(self, model: nn.Module, names: list[str]) -> Counter[str]:
        """Add up the multiplications of each layer of the plain network, and of what stands in its place."""
        found: Counter[str] = Counter()
        for use in calls(model, self.image_shape):
            found[next(name for name in names if f"{use[0]}.".startswith(f"{name}."))] += counted(model, [use])
        return found
