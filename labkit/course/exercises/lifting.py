"""The exercise of notebook 05 on equivariance: filters in four orientations, proved on random filters and pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.course.checks import NotYet, exercise

SHAPES = ((1, 1, 3), (3, 2, 3), (2, 1, 5))  # filters, inputs, side
SIDES = (9, 8)  # of pictures


@exercise(
    "lifting layer",
    "torch.rot90(filters, r, (2, 3)) turns all filters by r quarters. What is the order of the 4 n outputs?",
    "torch.stack of the four turned tensors along dimension 1 puts a filter's orientations beside each other.",
    "turned = [torch.rot90(filters, r, (2, 3)) for r in range(4)]; return torch.stack(turned, 1).flatten(0, 1)",
)
def lifting_layer(lift: Callable[[Tensor], Tensor]) -> str:
    """When the picture turns, the maps turn and move on by one orientation: to float precision, for any filters."""
    worst = 0.0
    for out, inside, side in SHAPES:
        random = torch.Generator().manual_seed(out)
        filters = torch.randn(out, inside, side, side, generator=random)
        weight = lift(filters.clone())
        _check_shape(weight, filters)
        for picture in (torch.randn(1, inside, length, length, generator=random) for length in SIDES):
            worst = max(worst, _error(weight, filters, picture))
    return (
        "Proved on random filters and pictures: the maps of a turned picture are the turned maps, up to a share of "
        f"{worst:.0e}. It holds for any filters, trained or not. The next layer has to turn its filters and to move "
        "their four slices on."
    )


def _check_shape(weight: object, filters: Tensor) -> None:
    if not isinstance(weight, Tensor):
        raise NotYet(f"lift(filters) gave {type(weight).__name__}, but should give a tensor: is a `return` missing?")
    expected = (4 * len(filters), *filters.shape[1:])
    if tuple(weight.shape) != expected:
        raise NotYet(
            f"For filters {tuple(filters.shape)} it has shape {tuple(weight.shape)}, but should have {expected}: "
            "each filter in four orientations."
        )


def _error(weight: Tensor, filters: Tensor, picture: Tensor) -> float:
    """Return the equivariance error; raise NotYet where it is more than rounding."""
    straight = F.conv2d(picture, weight)
    now = F.conv2d(torch.rot90(picture, 1, (2, 3)), weight)
    turned = torch.rot90(straight, 1, (2, 3)).unflatten(1, (-1, 4))
    if not any(torch.allclose(weight[::4], torch.rot90(filters, r, (2, 3)), atol=1e-6) for r in range(4)):
        if any(torch.allclose(weight[: len(filters)], torch.rot90(filters, r, (2, 3)), atol=1e-6) for r in range(4)):
            raise NotYet("The order is another: the four orientations of a filter stand beside each other.")
        raise NotYet("Every fourth output should be a filter itself, in one of its four orientations.")
    # Counterclockwise or clockwise: both are a group.
    error = min(float((now - turned.roll(step, 2).flatten(1, 2)).abs().max()) for step in (1, -1))
    if error > 1e-4 * float(now.abs().max()):
        raise NotYet(
            "When the picture turns by a quarter, the maps do not turn and move on by one orientation. Is each "
            "orientation turned by one quarter more than the one before it?"
        )
    return error / float(now.abs().max())


EXERCISES = (lifting_layer,)
