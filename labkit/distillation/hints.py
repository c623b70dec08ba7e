"""FitNets: the middle of the student learns to say what that of the teacher says, then all of it (Romero 2015).

    stage 1:  1/2 || u_hint(x) - r(v_guided(x)) ||^2      stage 2:  soft targets, from where stage 1 ended

The student's maps are fewer, so a regressor r of 1 x 1 filters stands between; it is thrown away afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from labkit.data import Data
from labkit.distillation.softtargets import SoftTargets
from labkit.distillation.student import DistilledCurve
from labkit.inside import Watch, last_of_same_size
from labkit.layers import Conv2d
from labkit.thinner import as_new
from labkit.train import Loss, Progress, Recipe, Trainer, cross_entropy
from labkit.weights import Dense


class Guided(nn.Module):
    """A student with the regressor that makes the teacher's maps of its own; it answers as the student does."""

    def __init__(self, student: nn.Module, regressor: nn.Module):
        super().__init__()
        self.student, self.regressor = student, regressor

    def forward(self, x: Tensor) -> Tensor:
        return self.student(x)


class HintCurve(DistilledCurve):
    """Students that are trained in two stages of as many epochs each."""

    def teach(
        self, student: nn.Module, data: Data, recipe: Recipe, device: str = "cpu", loss: Loss = cross_entropy
    ) -> Iterator[tuple[Progress, nn.Module]]:
        for progress in self.guide(student, data, recipe, device):
            yield replace(progress, steps=2 * progress.steps), student
        for progress, taught in super().teach(student, data, recipe, device, loss):
            done = progress.steps
            yield replace(progress, step=done + progress.step, steps=2 * done), taught

    def guide(self, student: nn.Module, data: Data, recipe: Recipe, device: str = "cpu") -> Iterator[Progress]:
        """Train the first part of a student in place, up to the guided layer."""
        teacher = copy.deepcopy(self.teacher).to(device).eval()
        guided, hinting = self.method.middle(student, teacher, self.image_shape)
        told, seen = Watch(teacher, [hinting]), Watch(student, [guided])
        x = data.normalise(data.train.images[:2])
        with torch.no_grad():
            student.eval()(x), teacher(x.to(device))
        shape = torch.Size((told.maps[0].shape[1], seen.maps[0].shape[1], 1, 1))
        regressor = Conv2d(Dense(as_new(shape, torch.Generator().manual_seed(self.seed))), torch.zeros(shape[0]))

        def hint(outputs: Tensor, labels: Tensor, images: Tensor) -> Tensor:
            with torch.no_grad():
                teacher(images)
            return hint_loss(told.maps[0], regressor(seen.maps[0]))

        try:
            for progress in Trainer(Guided(student, regressor), data, recipe, hint, device=device).run(every=10):
                seen.remove()  # who measures or saves the student in between must find it bare
                yield progress
                seen.add()
        finally:
            seen.remove()


def hint_loss(hint: Tensor, guided: Tensor) -> Tensor:
    """Return half the squared distance of two maps (n, channels, height, width), a mean over pictures and places.

    >>> hint_loss(torch.ones(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)).item()
    1.0
    """
    return (hint - guided).square().sum(1).mean() / 2


class Hints(SoftTargets):
    """A thinner network whose middle is taught first.

    `temperature` and `weight` are those of `SoftTargets` in the second stage, the `teacher` is as for every `Student`.

    >>> from labkit import zoo
    >>> Hints().middle(zoo.load("VGG"), zoo.load("VGG"), (1, 28, 28))
    ('relu4', 'relu4')
    """

    title = "FitNets' hints"
    idea = "Half way up, the student learns to say what the teacher says there. Then it learns the answers."
    equation = r"\tfrac12 \lVert u_{hint}(x) - r(v_{guided}(x)) \rVert^2, \text{ then soft targets}"
    drawback = "To imitate all of a wide layer may be more than a narrow student can do."
    paper = "romero2015"
    curve = HintCurve

    def __init__(self, temperature: float = 3.0, weight: float = 0.8, teacher: nn.Module | str | None = None):
        super().__init__(temperature, weight, teacher)

    def middle(self, student: nn.Module, teacher: nn.Module, image_shape: tuple[int, int, int]) -> tuple[str, str]:
        """Return the paths of the guided module and of the hint; raise ValueError where no maps are of one size."""
        guided, hints = last_of_same_size(student, teacher, image_shape)
        if not guided:
            raise ValueError(
                "student and teacher have no maps that are as high and as wide, so there is no hint half way: take "
                "LeNet-5 or VGG for both"
            )
        half = (len(guided) - 1) // 2
        return guided[half], hints[half]
