"""A student: the network with fewer filters and units in every layer, drawn anew, and taught by the whole network."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from labkit.data import Data
from labkit.deploy import deployed
from labkit.drawn import WIDTH, Drawn, DrawnCurve
from labkit.inside import Watch
from labkit.thinner import thinner
from labkit.train import Loss, Progress, Recipe, Trainer, cross_entropy

Maps = tuple[list[Tensor], list[Tensor]]  # of the student and of the teacher


class DistilledCurve(DrawnCurve):
    """Students of one teacher, which is the network that the curve was prepared for, compressed or not."""

    def train(
        self,
        value: float,
        data: Data,
        recipe: Recipe | None = None,
        device: str = "cpu",
        loss: Loss = cross_entropy,
    ) -> Iterator[tuple[Progress, nn.Module]]:
        yield from self.teach(self.at(value), data, recipe or self.method.recipe, device, loss)

    def teach(
        self, student: nn.Module, data: Data, recipe: Recipe, device: str = "cpu", loss: Loss = cross_entropy
    ) -> Iterator[tuple[Progress, nn.Module]]:
        """Train a student in place, yielding progress and the student as it stands."""
        teacher = copy.deepcopy(self.model).to(device).eval()
        paths = self.method.matched(self.model, self.image_shape)
        if not paths:
            teacher = deployed(teacher)  # faster, but its layers have other names
        watches = [Watch(network, paths) for network in (student, teacher)]

        def taught(outputs: Tensor, labels: Tensor, images: Tensor) -> Tensor:
            with torch.no_grad():
                told = teacher(images)
            maps = tuple(watch.maps for watch in watches)
            return self.method.taught(outputs, told, labels, loss(outputs, labels, images), maps)

        trainer = Trainer(student, data, recipe, taught, device=device)
        try:
            for progress in trainer.run(every=10):
                watches[0].remove()  # who measures or saves the student in between must find it bare
                yield progress, student
                watches[0].add()
        finally:
            watches[0].remove()


class Student(Drawn):
    """A thinner network that learns from the teacher's answers; a subclass says what it minimises."""

    knob = WIDTH
    curve = DistilledCurve
    # Losses on logits are large where logits are: Adam finds the step by itself.
    recipe = Recipe(epochs=1, learning_rate=0.002, weight_decay=0, optimiser="adam")

    def draw(self, model: nn.Module, shape: tuple[int, int, int], value: float, random: torch.Generator) -> nn.Module:
        return thinner(model, shape, value, random)

    def matched(self, model: nn.Module, image_shape: tuple[int, int, int]) -> list[str]:
        """List the modules (paths) whose maps a student is compared in; none, unless a subclass says which."""
        return []

    def taught(self, student: Tensor, teacher: Tensor, labels: Tensor, hard: Tensor, maps: Maps) -> Tensor:
        """Return the loss for the logits of both (n, classes) and their `maps` in the matched modules.

        `hard` is the usual loss on the labels (n,).
        """
        raise NotImplementedError(f"{type(self).__name__} must say what a student minimises")


def share(name: str, value: float) -> float:
    """Return a share; raise ValueError unless it is from 0 to 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}, but must be from 0 to 1")
    return float(value)
