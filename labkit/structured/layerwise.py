"""The knob of structures without a dial: how many layers get the structure, the largest first."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from labkit import layers
from labkit.methods import Knob, LeafCurve, Picture
from labkit.replacing import ReplacingFit
from labkit.structured.base import Structured
from labkit.structured.picture import matrix_picture


class LayerwiseCurve(LeafCurve):
    """Replaces so many matrices, the largest first; 0 is the original network."""

    def chosen(self, value: float) -> list[str]:
        """List the paths of the matrices that are replaced; equally large ones in their order."""
        by_size = sorted(self.fits, key=lambda path: -self.fits[path].values.numel())
        return by_size[: int(self.knob.check(value))]

    def at(self, value: float) -> nn.Module:
        new = {path: self.fits[path].at(1) for path in self.chosen(value)}
        return layers.replace(self.model, {path: weight for path, weight in new.items() if weight is not None})

    def picture(self, value: float, layer: str) -> Picture:
        path = self.path_in(layer)
        if path in self.chosen(value):
            return self.fits[path].picture(1, layer)
        return matrix_picture(layer, self.fits[path].values, "dense", "not structured yet")


class Layerwise(Structured):
    """A structure that a matrix has or has not."""

    knob = Knob("layers", "structured layers, the largest first", (0, 1), 0)
    curve = LayerwiseCurve

    def knob_for(self, fits: dict[str, ReplacingFit]) -> Knob:
        """As many steps as there are matrices; the last one replaces all."""
        return replace(self.knob, values=tuple(range(len(fits) + 1)))
