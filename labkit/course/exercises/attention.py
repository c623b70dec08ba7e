"""The exercise of notebook 06 on attention maps: where all maps of a layer together are strong."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from labkit.course.checks import NotYet, exercise

SHAPES = ((2, 3, 4, 5), (1, 1, 3, 3), (3, 8, 2, 2))


@exercise(
    "attention map",
    "Squares first, then the sum over the channels: dimension 1. That leaves one map for each picture.",
    "flatten(1) makes a vector of each map. F.normalize(q) divides each row by its length.",
    "return F.normalize(maps.square().sum(1).flatten(1))",
)
def attention_map(attention: Callable[[Tensor], Tensor]) -> str:
    """Compared with a loop over pictures, places and channels."""
    for shape in SHAPES:
        maps = torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))
        found, wanted = attention(maps.clone()), by_loops(maps)
        if not isinstance(found, Tensor):
            raise NotYet(f"attention(maps) gave {type(found).__name__}, but should give a tensor: is `return` missing?")
        if found.shape != wanted.shape:
            raise NotYet(
                f"For maps {shape} it has shape {tuple(found.shape)}, but should have {tuple(wanted.shape)}: one "
                "vector for each picture, with a number for each place."
            )
        if not torch.allclose(found, wanted, atol=1e-5):
            raise NotYet(_why(found, maps))
    return (
        "A teacher of 128 maps and a student of 8 now have vectors of the same length, so they can be compared, "
        "and no regressor is needed in between."
    )


def by_loops(maps: Tensor) -> Tensor:
    """Return the vectors (n, places) of length 1, the plain way."""
    n, channels, height, width = maps.shape
    found = torch.zeros(n, height * width)
    for picture in range(n):
        for place in range(height * width):
            i, j = divmod(place, width)
            found[picture, place] = sum(float(maps[picture, c, i, j]) ** 2 for c in range(channels))
        found[picture] /= float((found[picture] ** 2).sum()) ** 0.5
    return found


def _why(found: Tensor, maps: Tensor) -> str:
    """Say which mistake gives these vectors."""
    length = found.square().sum(1)
    if float(found.min()) < 0:
        return "Some numbers are negative: square each map before you add them up."
    if not torch.allclose(length, torch.ones_like(length), atol=1e-4):
        return "The vectors do not have length 1: divide each by the root of the sum of its squares."
    if torch.allclose(found, torch.nn.functional.normalize(maps.abs().sum(1).flatten(1)), atol=1e-5):
        return "That is the sum of |A|, which is another attention map: here each map is squared (p = 2)."
    return "The numbers are others: add up the squares over the channels, which are dimension 1."


EXERCISES = (attention_map,)
