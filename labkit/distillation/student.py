"""A student: a network with fewer filters and units in every layer, drawn anew, and taught by a larger one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from labkit import zoo
from labkit.data import Data
from labkit.deploy import deployed
from labkit.distillation.answers import Answers
from labkit.drawn import WIDTH, Drawn, DrawnCurve
from labkit.inside import Watch
from labkit.layers import adopt
from labkit.thinner import thinner
from labkit.train import Loss, Progress, Recipe, Trainer, cross_entropy

Maps = tuple[list[Tensor], list[Tensor]]  # of the student and of the teacher
WIDTHS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


class DistilledCurve(DrawnCurve):
    """Students of one teacher: the network that the curve was prepared for, compressed or not, or another one."""

    teacher: nn.Module
    _answers: Answers | None = None

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
        paths = self.method.matched(student, self.teacher, self.image_shape)
        if paths[0]:  # its modules must have their names
            answers = Answers(copy.deepcopy(self.teacher).to(device).eval(), data.train)
        else:
            answers = self.answers(data, device)
        watches = Watch(student, paths[0]), Watch(answers.teacher, paths[1])

        def taught(outputs: Tensor, labels: Tensor, images: Tensor) -> Tensor:
            again = None if trainer.moves or paths[0] else trainer.index  # maps are too many to remember
            told = answers(images, again)
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

    def answers(self, data: Data, device: str) -> Answers:
        """Return what the teacher says of these pictures, as far as it was asked before."""
        if self._answers is None or self._answers.pictures is not data.train:
            self._answers = Answers(deployed(self.teacher), data.train)
        self._answers.teacher.to(device)
        return self._answers


class Student(Drawn):
    """A thinner network that learns from a teacher's answers; a subclass says what it minimises.

    The `teacher` is the network itself, in which all layers are as wide as they are, unless one is given: a network, or
    the name of a trained one of the zoo, which is loaded for the data set at hand.
    """

    knob = replace(WIDTH, label="width of the student", values=WIDTHS)
    curve = DistilledCurve
    # Losses on logits are large where logits are: Adam finds the step by itself.
    recipe = Recipe(epochs=1, learning_rate=0.003, weight_decay=0, optimiser="adam")

    def __init__(self, teacher: nn.Module | str | None = None):
        self.teacher = teacher

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> DistilledCurve:
        curve = super().prepare(model, data, where)
        curve.teacher = self.teacher_for(model, data)
        return curve

    def teacher_for(self, model: nn.Module, data: Data | None) -> nn.Module:
        """Return the teacher; raise ValueError for a name where nothing says which data set it has to know."""
        if self.teacher is None:
            return model
        if isinstance(self.teacher, nn.Module):
            return adopt(self.teacher)
        if data is None:
            raise ValueError(f"the teacher {self.teacher!r} is trained for one data set: call prepare(model, data)")
        name, _, variant = self.teacher.partition(" ")
        return zoo.load(name, data.name, variant)

    def draw(self, model: nn.Module, shape: tuple[int, int, int], value: float, random: torch.Generator) -> nn.Module:
        return thinner(model, shape, value, random)

    def matched(
        self, student: nn.Module, teacher: nn.Module, image_shape: tuple[int, int, int]
    ) -> tuple[list[str], list[str]]:
        """List the modules (paths) of both whose maps are compared; none, unless a subclass says which."""
        return [], []

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
