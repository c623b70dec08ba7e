"""The exercise of notebook 05 on 1 x 1 filters: two pictures that they cannot tell apart."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from labkit import data, zoo
from labkit.course.checks import NotYet, exercise

TRIED = 5  # networks of 1 x 1 filters


@exercise(
    "where 1 x 1 filters lose",
    "A 1 x 1 filter sees one pixel at a time, and a mean over all places forgets which place was which.",
    "So only the set of pixels counts. Which changes of a picture move its pixels and change none of them?",
    "return picture, torch.rot90(picture, 1, (0, 1)): the same pixels at other places, and VGG sees another class.",
)
def where_points_lose(two_pictures: Callable[[], tuple[Tensor, Tensor]]) -> str:
    """Networks of 1 x 1 filters answer the same for both pictures, and VGG another class."""
    one, two = _pictures(two_pictures())
    if torch.equal(one, two):
        raise NotYet("Both pictures are the same, so nobody can tell them apart.")
    for seed in range(TRIED):
        with torch.no_grad():
            answers = [_points_only(seed)(data.load().normalise(x[None, None])) for x in (one, two)]
        if not torch.allclose(*answers, atol=1e-4):
            raise NotYet(
                "A network of 1 x 1 filters answers differently for them. It sees which pixels there are, and not "
                "where: both pictures must have the same pixels."
            )
    with torch.no_grad():
        found = [int(_vgg()(data.load().normalise(x[None, None])).argmax()) for x in (one, two)]
    names = [data.FASHION[index] for index in found]
    if found[0] == found[1]:
        raise NotYet(f"VGG calls both pictures {names[0]}. Move the pixels so that it sees something else.")
    return (
        f"{TRIED} networks of 1 x 1 filters give both pictures the same answer. VGG says {names[0]} and {names[1]}. "
        "This is why a Fire module keeps some 3 x 3 filters, and why a pointwise filter follows a depthwise one."
    )


def _pictures(answer: object) -> tuple[Tensor, Tensor]:
    if not isinstance(answer, (tuple, list)) or len(answer) != 2 or not all(isinstance(x, Tensor) for x in answer):
        raise NotYet(f"two_pictures() should return two tensors, not {type(answer).__name__}: is a `return` missing?")
    for picture in answer:
        if tuple(picture.shape) != (28, 28) or picture.dtype != torch.uint8:
            raise NotYet(
                f"A picture is a uint8 tensor of 28 x 28, not {picture.dtype} of {tuple(picture.shape)}: take one from "
                "data.load().validation.images[index, 0]."
            )
    return tuple(answer)


def _points_only(seed: int) -> nn.Module:
    """Make a network of 1 x 1 filters and a mean over all places, drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Conv2d(1, 32, 1), nn.ReLU(), nn.Conv2d(32, 32, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32, 10))


@functools.lru_cache(maxsize=1)
def _vgg() -> nn.Module:
    return zoo.load("VGG")


EXERCISES = (where_points_lose,)
