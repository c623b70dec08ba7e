"""What the methods of this section share: each replaces matrices by structured ones, and leaves the last one dense."""

from __future__ import annotations

from torch import nn

from labkit import layers
from labkit.data import Data
from labkit.layers import Linear
from labkit.methods import LeafCurve, Picture, numbers, sound_leaves
from labkit.replacing import Replacing, ReplacingFit, stored
from labkit.structured.picture import matrix_picture
from labkit.train import Recipe


class Structured(Replacing):
    """A method that replaces matrices (out, in).

    Fully connected layers are replaced, or the matrices inside them. The last one gives the classes and holds few
    numbers: it stays as it is, unless it is the only one or `where` names it. Convolutions stay as they are.
    """

    # Each number acts on many entries, on more or fewer by structure: Adam finds the step for each by itself.
    recipe = Recipe(epochs=1, learning_rate=0.01, weight_decay=0, optimiser="adam")

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> LeafCurve:
        chosen = fully_connected(model, where)
        leaves = sound_leaves(model, where, self.matrices)
        fits = {path: self.fit(leaf) for path, leaf in leaves.items() if path.startswith(chosen)}
        return self.curve(self, model, self.knob_for(fits), fits)

    def show(self, fit: ReplacingFit, value: float, name: str) -> Picture:
        """A corner of the structured matrix, with what it stores and what of the trained one it keeps."""
        weight = fit.at(value)
        if weight is None:
            how = f"left as it is, since the structure would store more than its {fit.values.numel():,} numbers"
            return matrix_picture(name, fit.values, "left as it is", how)
        what = f"{stored(weight):,} numbers for {fit.values.numel():,}"
        return matrix_picture(name, numbers(weight).cpu(), what, f"{self.title}, {what}, {fit.kept(weight)}")


def fully_connected(model: nn.Module, where: str | None = None) -> tuple[str, ...]:
    """List the paths of the layers to replace, each with a dot behind it: not the last one's, unless it is alone.

    Raises ValueError for a layer that is a convolution, and for a network without fully connected layers.
    """
    found = [path for path, layer in layers.layers(model).items() if isinstance(layer, Linear)]
    if where is not None and where in layers.layers(model) and where not in found:
        raise ValueError(f"layer {where!r} is a convolution, and only matrices get a structure: choose {_or(found)}")
    if not found:
        raise ValueError("the network has no fully connected layer, and only matrices get a structure: take another")
    chosen = [where] if where is not None else found[:-1] or found
    return tuple(f"{path}." if path else "" for path in chosen)


def _or(paths: list[str]) -> str:
    return " or ".join(paths) or "another network"
