"""What compact designs share: each convolution becomes a row of smaller ones, and all is trained from the beginning.

Between the small ones there is a ReLU, so that no trained filter says what they should be. The first convolution, which
reads the picture, stays plain, and so do those of 1 x 1.
"""

from __future__ import annotations

import torch
from torch import nn

from labkit import layers
from labkit.data import Data
from labkit.drawn import Drawn, DrawnCurve
from labkit.filters.base import convolutions
from labkit.layers import Conv2d
from labkit.thinner import thinner


class Compact(Drawn):
    """A design of a network; a subclass says how wide it is, and what stands in the place of a convolution."""

    def width(self, value: float) -> float:
        """Return the share of filters that each layer has."""
        return 1.0

    def block(self, layer: Conv2d, value: float, random: torch.Generator) -> nn.Module | None:
        """Return untrained layers for a convolution; None where it stays plain."""
        raise NotImplementedError(f"{type(self).__name__} must say what stands in the place of a convolution")

    def draw(self, model: nn.Module, shape: tuple[int, int, int], value: float, random: torch.Generator) -> nn.Module:
        small = thinner(model, shape, self.width(value), random)
        made = {path: self.block(small.get_submodule(path), value, random) for path in convolutions(small)[1:]}
        return layers.replace(small, {path: block for path, block in made.items() if block is not None})

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> DrawnCurve:
        curve = super().prepare(model, data, where)
        convolutions(model)  # refuse a network without any
        return curve
