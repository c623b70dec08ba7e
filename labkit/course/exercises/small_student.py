"""The exercise of notebook 06 on a budget: a student of 10,000 numbers that is better than the plain one."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import nn

from labkit import data, zoo
from labkit.course.checks import NotYet, exercise
from labkit.distillation import METHODS, LabelsAlone
from labkit.distillation.student import Student
from labkit.measure import Accuracy, accuracy, parameters
from labkit.train import Recipe

NETWORK, WIDTH, MOST, POINTS = "VGG", 1 / 8, 10_000, 2.8
PICTURES = 1_000
RECIPE = Recipe(epochs=40, learning_rate=0.005, weight_decay=0, optimiser="adam")


@exercise(
    "a student of 10,000 numbers",
    "Too hot, and all wrong classes look alike to the student. Too cold, and it hears only the label.",
    "Try SoftTargets with most of the weight on the teacher, a temperature of 2 to 5, and a better teacher than VGG.",
    'return SoftTargets(temperature=3, weight=0.9, teacher="VGG-wide")',
)
def small_student(how: Callable[[], Student]) -> str:
    """Both are trained here: drawn by the same dice, on the same pictures, for the same number of steps."""
    method = how()
    if type(method) not in METHODS:
        raise NotYet(f"how() should return a method of this section with its settings, not {method!r}.")
    taught = trained(method)
    if parameters(taught) > MOST:
        raise NotYet(f"The student has {parameters(taught):,} numbers, but should have at most {MOST:,}.")
    ours, plain = accuracy(taught, data.load()), plain_accuracy(RECIPE, PICTURES)
    gain = 100 * (ours.value - plain.value)
    said = f"{method.title}: {100 * ours.value:.1f} % right, where the plain student has {100 * plain.value:.1f} %"
    if gain < POINTS:
        raise NotYet(f"{said}: {gain:+.1f} points, but should be at least {POINTS:g} more.")
    return (
        f"{said}: {gain:+.1f} points. Both have {parameters(taught):,} numbers and saw the same {PICTURES:,} pictures "
        "with the same labels. What more it knows came from the teacher."
    )


def trained(method: Student) -> nn.Module:
    """Train a student by the exercise's recipe."""
    pictures = data.load().few(PICTURES)
    torch.manual_seed(RECIPE.seed)
    *_, (_, student) = method.prepare(zoo.load(NETWORK), pictures).train(WIDTH, pictures, RECIPE)
    return student.eval()


@functools.lru_cache(maxsize=1)
def plain_accuracy(recipe: Recipe, pictures: int) -> Accuracy:
    """Return the accuracy of the plain student, trained once for a recipe and a number of pictures."""
    return accuracy(trained(LabelsAlone()), data.load())


EXERCISES = (small_student,)
