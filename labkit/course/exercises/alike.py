"""The exercise of notebook 06 on dark knowledge: which clothes does the teacher find alike?"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from labkit import data, zoo
from labkit.course.checks import NotYet, exercise
from labkit.distillation.losses import soften
from labkit.measure import outputs

TEACHER, TEMPERATURE = "VGG", 4.0
ASKED = ("Shirt", "Coat")


@exercise(
    "dark knowledge",
    "targets[labels == i].mean(0) is the mean answer for the pictures of class i.",
    "Of each row remove the class itself (fill_diagonal_(0) does it), then divide the row by its sum.",
    "alike = torch.stack([targets[labels == i].mean(0) for i in range(k)]).fill_diagonal_(0); "
    "return alike / alike.sum(1, keepdim=True)",
)
def dark_knowledge(resemblance: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Compared with loops on drawn answers, and then on those of a trained teacher."""
    random = torch.Generator().manual_seed(0)
    drawn = torch.randn(40, 4, generator=random).softmax(1)
    _compare(resemblance, drawn, torch.arange(40) % 4)
    targets, labels = teacher_says()
    alike = _compare(resemblance, targets, labels)
    said = [f"a {name.lower()} is most like a {_most(alike, data.FASHION.index(name))}" for name in ASKED]
    return (
        f"To {TEACHER}, at T = {TEMPERATURE:g}, {' and '.join(said)} of what it gives to wrong classes. No label says "
        "so: a student that learns labels alone has to find out by itself."
    )


@functools.lru_cache(maxsize=1)
def teacher_says() -> tuple[Tensor, Tensor]:
    """Return the teacher's soft targets for the validation pictures, and their labels."""
    clothes = data.load()
    logits = outputs(zoo.load(TEACHER), clothes, clothes.validation.images)
    return soften(logits, TEMPERATURE), clothes.validation.labels


def by_loops(targets: Tensor, labels: Tensor) -> Tensor:
    """Return the mean soft targets of each class without the class itself, each row with the sum 1, the plain way."""
    classes = targets.shape[1]
    sums = [[0.0] * classes for _ in range(classes)]
    for row, label in zip(targets.tolist(), labels.tolist(), strict=True):
        for other, share in enumerate(row):
            sums[label][other] += share if other != label else 0.0
    return torch.tensor([[share / sum(row) for share in row] for row in sums])


def _compare(resemblance: Callable[[Tensor, Tensor], Tensor], targets: Tensor, labels: Tensor) -> Tensor:
    found, wanted = resemblance(targets.clone(), labels.clone()), by_loops(targets, labels)
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        said = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise NotYet(f"It gave {said}, but should give a tensor of {tuple(wanted.shape)}: a row for each class.")
    if float(found.diagonal().abs().max()) > 1e-6:
        raise NotYet("A class is not alike to itself here: the diagonal should be 0.")
    if torch.allclose(found, wanted, atol=1e-4):
        return found
    if not torch.allclose(found.sum(1), torch.ones(len(found)), atol=1e-4):
        raise NotYet("The rows do not add up to 1: divide each by its sum once the class itself is gone.")
    if torch.allclose(found, wanted.t() / wanted.t().sum(1, keepdim=True), atol=1e-3):
        raise NotYet("Rows and columns have changed places: row i belongs to pictures with label i.")
    raise NotYet("The shares are others: row i is the mean over the pictures whose label is i.")


def _most(alike: Tensor, index: int) -> str:
    share, other = alike[index].max(0)
    return f"{data.FASHION[int(other)].lower()} ({100 * float(share):.0f} %)"


EXERCISES = (dark_knowledge,)
