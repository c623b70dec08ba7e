"""A result that learns: the run that trains it, and the model as it stands."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from torch import nn

from labkit.data import Data
from labkit.live.bench import Bench
from labkit.live.result import Result
from labkit.train import Progress


class Lesson:
    """Trains what a result shows, a few steps at a time, by the recipe of its own method."""

    def __init__(self, bench: Bench, begun: Result, data: Data, epochs: int):
        self.bench, self.begun = bench, begun
        self.progress: Progress | None = None
        self.model: nn.Module | None = None
        curve = bench.curve(begun.choice, begun.base)
        recipe = replace(curve.method.recipe, epochs=epochs)
        self._run = curve.train(begun.choice.value, data, recipe, begun.choice.device)

    @property
    def share(self) -> float:
        """The share of the steps that are done."""
        return self.progress.step / self.progress.steps if self.progress else 0.0

    def step(self) -> bool:
        """Go on; false at the end."""
        latest = next(self._run, None)
        if latest is not None:
            self.progress, self.model = latest
        return latest is not None

    def follow(self) -> None:
        """Go on beside another one; a method that cannot be trained here must not stop that one."""
        with contextlib.suppress(Exception):
            self.step()

    def result(self) -> Result:
        """Measure the model as it stands, coarsely; what there was before the first step."""
        if self.model is None:
            return self.begun
        result = self.bench.describe(self.begun.choice, self.begun.base, self.model.eval())
        result.picture, result.tuned = self.begun.picture, True
        return result
