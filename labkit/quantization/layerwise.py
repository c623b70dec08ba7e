"""The knob of the binary and ternary methods: how many layers are quantized, the largest first.

One bit has no dial between mild and strong, but a network does: it may keep some layers as they are.
The largest layers come first, since they save the most bytes and tolerate the most. The smallest are
often the first and the last one, which XNOR-Net leaves at full precision (Rastegari 2016).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from labkit.methods import Knob, LeafMethod, Picture, numbers
from labkit.quantization.trained import LatentCurve, histogram, picture
from labkit.train import Recipe
from labkit.weights import Latent, Weight


@dataclass
class LayerwiseFit:
    """One weight, and how to make the Latent that quantizes it."""

    method: Layerwise
    values: Tensor
    make: Callable[[], Latent]

    @functools.cached_property
    def bins(self) -> tuple[np.ndarray, np.ndarray]:
        """The histogram of the weights, the same at every value of the knob."""
        return histogram(self.values)

    def picture(self, quantized: bool, name: str) -> Picture:
        """The histogram of the weights with the two or three values that they become."""
        if not quantized:
            text = f"This layer is not {self.method.word} yet."
            return picture(name, self.bins, torch.empty(0), f"not {self.method.word} yet", text)
        scale = self.make().scale().detach()
        marks = scale.mean() * scale.new_tensor(self.method.levels)
        shown = " and ".join(f"{mark:.3g}" for mark in marks.tolist())
        each = " for each row or filter" if len(scale) > 1 else ""
        mean = f" on average over {len(scale)} rows or filters with a scale each" if each else ""
        return picture(name, self.bins, marks, f"{len(marks)} values{each}", f"Its values are {shown}{mean}.")


class LayerwiseCurve(LatentCurve):
    """Quantizes so many weights, the largest first; 0 is the original network."""

    def chosen(self, value: float) -> list[str]:
        """List the paths of the weights that are quantized at this value; equally large ones in their order."""
        by_size = sorted(self.fits, key=lambda path: -self.fits[path].values.numel())
        return by_size[: int(self.knob.check(value))]

    def latents(self, value: float) -> dict[str, Latent]:
        return {path: self.fits[path].make() for path in self.chosen(value)}

    def picture(self, value: float, layer: str) -> Picture:
        path = self.path_in(layer)
        return self.fits[path].picture(path in self.chosen(value), layer)


class Layerwise(LeafMethod):
    """A method that turns one layer after the other binary or ternary; it only says with which Latent.

    What is counted are the weights that a method may replace: two for a layer of two thin factors.
    """

    knob = Knob("binary layers", "binary layers, the largest first", (0, 1), 0)
    word: ClassVar[str] = "binary"
    levels: ClassVar[tuple[float, ...]] = (-1.0, 1.0)  # what the scale is multiplied by
    curve = LayerwiseCurve
    recipe = Recipe(epochs=1, learning_rate=1e-3, weight_decay=0, optimiser="adam")

    def latent(self, values: Tensor) -> Latent:
        """Make the Latent that quantizes these numbers."""
        raise NotImplementedError(f"{type(self).__name__} must say how it quantizes a weight")

    def fit(self, leaf: Weight) -> LayerwiseFit:
        values = numbers(leaf).clone()
        return LayerwiseFit(self, values, functools.partial(self.latent, values))

    def knob_for(self, fits: dict[str, LayerwiseFit]) -> Knob:
        """As many steps as there are weights; the last one quantizes all."""
        return replace(self.knob, values=tuple(range(len(fits) + 1)))
