"""Windows of larger filters, one for each shift: Zhai 2016."""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.weights.base import Weight
from labkit.weights.transferred import Transferred


class Translated(Transferred):
    """All windows of a few meta-filters, each shifted by one place: s^2 filters from one of (z + s - 1)^2 numbers.

        W[s^2 j + s a + b, i, y, x] = F[j, i, y + a, x + b],   a and b from 0 to s - 1

    `filters` F is (out / s^2, in, z + s - 1, z' + s - 1), rounded up, for windows of z x z'. Every window is convolved
    for itself, so that multiplications are not saved. Raises ValueError for `shifts` s that leave no window and for as
    many meta-filters as do not make `out` (Zhai 2016).

    >>> Translated(torch.arange(9.0).view(1, 1, 3, 3), 2, 4)()[:, 0].tolist()[1]
    [[1.0, 2.0], [4.0, 5.0]]
    """

    def __init__(self, filters: Weight | Tensor, shifts: int, out: int):
        if type(shifts) is not int or shifts < 1:
            raise ValueError(f"shifts is {shifts!r}, but must be a whole number, at least 1")
        super().__init__(filters, shifts**2, out)
        self.shifts = shifts
        sides = tuple(self.filters.shape)
        if len(sides) != 4 or min(sides[2:]) < shifts:
            raise ValueError(f"filters {sides} must be (n, in, height, width) with sides of at least shifts = {shifts}")

    @property
    def shape(self) -> torch.Size:
        _, inside, height, width = self.filters.shape
        return torch.Size((self.out, inside, height - self.shifts + 1, width - self.shifts + 1))

    def orbit(self, filters: Tensor) -> Tensor:
        height, width = self.shape[2:]
        windows = filters.unfold(2, height, 1).unfold(3, width, 1)  # n, in, a, b, height, width
        return windows.permute(0, 2, 3, 1, 4, 5).flatten(1, 2)
