"""Filters in two or four orientations, equivariant to turns: Cohen and Welling 2016."""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.weights.base import Weight
from labkit.weights.transferred import Transferred


class Rotated(Transferred):
    """A convolution over turns by 360 / t degrees: each filter in its t orientations.

        lifting, s = 1:   W[(o, r), i]      = rot^r F[o, i]
        group,   s = t:   W[(o, r), (i, q)] = rot^r F[o, i, (q - r) mod t]

    `filters` F is (o, i, s, k, k). A lifting layer reads pictures, and puts out t maps for each filter, one for each
    orientation. A group layer reads such maps: it turns each slice of a filter, and moves the slices on by as many
    places. When the picture turns, the maps turn and move on, whatever F is (p4 for t = 4). Raises ValueError for
    filters that are not square or have another number of slices, and for `turns` t other than 1, 2 and 4 (Cohen 2016).

    >>> Rotated(torch.arange(4.0).view(1, 1, 1, 2, 2), 4)().shape
    torch.Size([4, 1, 2, 2])
    >>> Rotated(torch.arange(4.0).view(1, 1, 1, 2, 2), 2)()[:, 0].tolist()
    [[[0.0, 1.0], [2.0, 3.0]], [[3.0, 2.0], [1.0, 0.0]]]
    """

    def __init__(self, filters: Weight | Tensor, turns: int):
        if type(turns) is not int or turns not in (1, 2, 4):
            raise ValueError(f"turns is {turns!r}, but a square grid turns into itself 1, 2 or 4 times")
        super().__init__(filters, turns, turns * filters.shape[0])
        self.turns = turns
        sides = tuple(self.filters.shape)
        if len(sides) != 5 or sides[2] not in (1, turns) or sides[3] != sides[4]:
            raise ValueError(f"filters {sides} must be (out, in, s, k, k), with s = 1 or {turns} slices")

    @property
    def shape(self) -> torch.Size:
        _, inside, slices, *kernel = self.filters.shape
        return torch.Size((self.out, inside * slices, *kernel))

    def orbit(self, filters: Tensor) -> Tensor:
        step = 4 // self.turns  # quarter turns
        turned = [torch.rot90(filters.roll(r, 2), step * r, (3, 4)) for r in range(self.turns)]
        return torch.stack(turned, 1).flatten(2, 3)
