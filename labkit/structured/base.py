"""What the methods of this section share: each replaces matrices, by the nearest structured one or one that was drawn.

    nearest:  min ||W - S||_F over the matrices S of the structure;      random:  S drawn, with E ||S||_F^2 = ||W||_F^2

A trained matrix was never asked to have a structure, so the nearest one loses nearly all of it, and training has to
win it back. Training from the beginning starts from random numbers of the right size instead.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from labkit import layers
from labkit.data import Data
from labkit.layers import Linear
from labkit.methods import LeafCurve, LeafMethod, Picture, numbers, sound_leaves
from labkit.structured.picture import matrix_picture
from labkit.train import Recipe
from labkit.weights import Weight

STARTS = ("nearest", "random")


class Structured(LeafMethod):
    """A method that replaces matrices; a subclass says which structured one is the nearest, and draws one.

    Fully connected layers are replaced, or the matrices inside them. The last one gives the classes and holds few
    numbers: it stays as it is, unless it is the only one or `where` names it. Convolutions stay as they are. `start`
    is "nearest" or "random"; the dice are torch's at the time of `prepare`.
    """

    # Each number acts on many entries, on more or fewer by structure: Adam finds the step for each by itself.
    recipe = Recipe(epochs=1, learning_rate=0.01, weight_decay=0, optimiser="adam")
    matrices = True

    def __init__(self, start: str = "nearest"):
        if start not in STARTS:
            raise ValueError(f"start is {start!r}, but must be one of {', '.join(STARTS)}")
        self.start = start

    def nearest(self, matrix: Tensor, value: float, seed: int) -> Weight:
        """Return the structured matrix nearest to `matrix` (out, in), or as near as this method can find."""
        raise NotImplementedError(f"{type(self).__name__} must find the nearest structured matrix")

    def draw(self, shape: tuple[int, int], value: float, std: float, generator: torch.Generator) -> Weight:
        """Draw a structured matrix whose entries have mean 0 and the standard deviation `std`."""
        raise NotImplementedError(f"{type(self).__name__} must draw a structured matrix")

    def fit(self, leaf: Weight) -> StructuredFit:
        return StructuredFit(self, numbers(leaf).cpu(), int(torch.randint(2**31, ())))

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> LeafCurve:
        chosen = fully_connected(model, where)
        leaves = sound_leaves(model, where, self.matrices)
        fits = {path: self.fit(leaf) for path, leaf in leaves.items() if path.startswith(chosen)}
        return self.curve(self, model, self.knob_for(fits), fits)


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


@dataclass
class StructuredFit:
    """One matrix, and what was found for it so far."""

    method: Structured
    values: Tensor
    seed: int
    _found: dict[float, Weight] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # two threads may ask for one value

    def structured(self, value: float) -> Weight:
        """Return the structured matrix at a value, computed when it is first asked for; each time a copy."""
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
        """Return the structured matrix; None where it takes no fewer numbers than the dense one."""
        weight = self.structured(value)
        return weight if stored(weight) < self.values.numel() else None

    def picture(self, value: float, name: str) -> Picture:
        """A corner of the structured matrix, with what it stores and what of the trained one it keeps."""
        weight = self.at(value)
        if weight is None:
            how = f"left as it is, since the structure would store more than its {self.values.numel():,} numbers"
            return matrix_picture(name, self.values, "left as it is", how)
        matrix = numbers(weight).cpu()
        left = float((matrix - self.values).square().sum() / self.values.square().sum().clamp_min(1e-30))
        kept = f", {100 * (1 - left):.1f} % of the squared norm kept" if self.method.start == "nearest" else ", drawn"
        what = f"{stored(weight):,} numbers for {self.values.numel():,}"
        return matrix_picture(name, matrix, what, f"{self.method.title}, {what}{kept}")


def stored(weight: nn.Module) -> int:
    """Count the numbers that a weight, or a network, stores."""
    return sum(parameter.numel() for parameter in weight.parameters())
