"""A method is a curve: prepared once, then cheap at every value of its knob."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from labkit import layers
from labkit.data import Data
from labkit.train import Loss, Progress, Recipe, Trainer, cross_entropy
from labkit.weights import Latent, Weight, settle


@dataclass(frozen=True)
class Knob:
    """What a slider moves: its allowed values from mild to strong or back, and how they are shown.

    >>> Knob("bits", "bits per weight", (1, 2, 4), 4).check(3)
    Traceback (most recent call last):
    ValueError: bits is 3, but must be one of 1, 2, 4
    """

    name: str
    label: str
    values: tuple[float, ...]
    start: float
    percent: bool = False  # a share from 0 to 1, shown in percent

    def show(self, value: float) -> str:
        """Return a value as people read it."""
        return f"{100 * value:g} %" if self.percent else f"{value:g}"

    def check(self, value: float) -> float:
        """Return the value, or raise ValueError naming the allowed ones."""
        if value not in self.values:
            shown = ", ".join(f"{allowed:g}" for allowed in self.values)
            raise ValueError(f"{self.name} is {value!r}, but must be one of {shown}")
        return value


@dataclass(frozen=True)
class Picture:
    """What a method did, as plain data that `live/views` knows how to draw.

    Kinds: "histogram" (`values` counts, `edges`, `marks` positions on the x axis), "spectrum"
    (`values` by index, `marks` the cut, `share` from 0 to 1 of what is kept up to each index), "bars"
    (`values` of each of `labels`, `marks` the pale bars behind them), "matrix" (`values` in two dimensions),
    "filters" and "images" (`values` n x height x width, `marks` the indices of those that are crossed out),
    "pairs" (`values` n x 2 x height x width, before and after).
    """

    kind: str
    title: str
    x: str
    y: str
    values: np.ndarray
    text: str  # the picture in one sentence, for who cannot see it
    edges: np.ndarray | None = None
    marks: np.ndarray = field(default_factory=lambda: np.empty(0))
    share: np.ndarray | None = None
    labels: tuple[str, ...] = ()


class Curve:
    """A method prepared for one model: `at(value)` is the model compressed so far."""

    def __init__(self, method: Method, model: nn.Module, knob: Knob):
        self.method, self.model, self.knob = method, model, knob

    def at(self, value: float) -> nn.Module:
        """Return a compressed copy of the model; raise ValueError for a value off the knob."""
        raise NotImplementedError

    def picture(self, value: float, layer: str) -> Picture:
        """Describe what the method does to one layer at this value."""
        raise NotImplementedError

    def latent(self, value: float) -> nn.Module:
        """Return the network that training moves at this value: the compressed one, unless a method has another."""
        return self.at(value)

    def train(
        self,
        value: float,
        data: Data,
        recipe: Recipe | None = None,
        device: str = "cpu",
        loss: Loss = cross_entropy,
    ) -> Iterator[tuple[Progress, nn.Module]]:
        """Compress, then train what is left, yielding progress and the compressed model as it stands.

        The recipe is the method's own unless one is given.
        """
        model = copy.deepcopy(self.latent(value))  # a codebook in it may still be the original's
        trainer = Trainer(model, data, recipe or self.method.recipe, loss, device=device)
        latents = [part for part in model.modules() if isinstance(part, Latent)]

        def constrain(model: nn.Module, progress: Progress) -> None:
            for latent in latents:
                latent.constrain(trainer.optimiser.state[latent.values])

        if latents:
            trainer.after_step = constrain
        for progress in trainer.run(every=10):
            yield progress, settle(model)


class Method:
    """One way to compress, with the card that explains it.

    A subclass fills the fields and defines `prepare`; a method that treats each weight by itself
    derives from `LeafMethod` instead and defines `fit`.
    """

    title: ClassVar[str]
    idea: ClassVar[str]  # at most two sentences
    equation: ClassVar[str]  # LaTeX without dollar signs
    stores: ClassVar[str]
    drawback: ClassVar[str]
    paper: ClassVar[str]  # its key in references.bib
    knob: Knob
    recipe: ClassVar[Recipe] = Recipe(epochs=1, learning_rate=0.02)  # from which training starts

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> Curve:
        """Do once what does not depend on the knob, for one layer or (None) the whole network."""
        raise NotImplementedError


class Fit(Protocol):
    """One weight, prepared: what `LeafMethod.fit` returns."""

    def at(self, value: float) -> Weight | None:
        """Return the compressed weight, or None where compressing it would not make it smaller."""

    def picture(self, value: float, name: str) -> Picture:
        """Describe what happens to this weight."""


class LeafCurve(Curve):
    """The curve of a method that treats each weight by itself."""

    def __init__(self, method: Method, model: nn.Module, knob: Knob, fits: dict[str, Fit]):
        super().__init__(method, model, knob)
        self.fits = fits

    def at(self, value: float) -> nn.Module:
        self.knob.check(value)
        new = {path: fit.at(value) for path, fit in self.fits.items()}
        return layers.replace(self.model, {path: weight for path, weight in new.items() if weight is not None})

    def picture(self, value: float, layer: str) -> Picture:
        return self.fits[self.path_in(layer)].picture(value, layer)

    def path_in(self, layer: str) -> str:
        """Return the path of the first weight in a layer; raise ValueError where there is none."""
        for path in self.fits:
            if path == f"{layer}.weight" or path.startswith(f"{layer}.weight."):
                return path
        raise ValueError(f"layer {layer!r} was left alone: it is not among {', '.join(self.fits)}")


class LeafMethod(Method):
    """A method that treats each weight by itself: it only says how to `fit` one tensor."""

    matrices: ClassVar[bool] = False  # True: needs rows and columns
    curve: ClassVar[type[LeafCurve]] = LeafCurve

    def fit(self, leaf: Weight) -> Fit:
        """Prepare one weight."""
        raise NotImplementedError

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> LeafCurve:
        fits = {path: self.fit(leaf) for path, leaf in sound_leaves(model, where, self.matrices).items()}
        return self.curve(self, model, self.knob_for(fits), fits)

    def knob_for(self, fits: dict[str, Fit]) -> Knob:
        """Return the knob for this model, where its values depend on the model."""
        return self.knob


def sound_leaves(model: nn.Module, where: str | None = None, matrices: bool = False) -> dict[str, Weight]:
    """Return the leaves of a model after checking them: no layer empty, all numbers finite.

    A Weight in which pruning left nothing is passed over: it has nothing more to give.
    """
    for path, layer in layers.layers(model).items():
        if where in (None, path) and layer.weight.shape.numel() == 0:
            raise ValueError(f"{path}.weight is empty, and nothing can be compressed in it: choose another layer")
    found = {path: leaf for path, leaf in layers.leaves(model, where, matrices) if leaf.shape.numel()}
    for path, leaf in found.items():
        if not bool(torch.isfinite(numbers(leaf)).all()):
            raise ValueError(f"{path} holds NaN or infinite numbers: train the model again, or load it again")
    return found


@torch.no_grad()
def numbers(leaf: Weight) -> Tensor:
    """Return the numbers that a Weight shows, without their history of gradients."""
    return leaf().detach()
