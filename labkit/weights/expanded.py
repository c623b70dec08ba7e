"""Filters of 1 x 1 beside larger ones: the wide half of a Fire module (Iandola 2016)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.weights.base import Weight, as_weight


class Expanded(Weight):
    """Filters of 1 x 1 beside those of k x k, which read the same: W = [pad(points); squares].

    `points` is (e1, in), each the middle of a kernel that is zero elsewhere, `squares` (e3, in, k, k) with odd sides.
    Two convolutions put out e1 + e3 maps, with e1 in + e3 in k^2 multiplications a position. Raises ValueError for
    parts that read different numbers of maps, or have a kernel without a middle (Iandola 2016).

    >>> Expanded(torch.tensor([[5.0]]), torch.ones(1, 1, 3, 3))()[:, 0, 1].tolist()
    [[0.0, 5.0, 0.0], [1.0, 1.0, 1.0]]
    """

    inner = ("points", "squares")

    def __init__(self, points: Weight | Tensor, squares: Weight | Tensor):
        super().__init__()
        self.points, self.squares = as_weight(points), as_weight(squares)
        one, three = tuple(self.points.shape), tuple(self.squares.shape)
        if len(one) != 2 or len(three) != 4 or one[1] != three[1] or not all(side % 2 for side in three[2:]):
            raise ValueError(f"points {one} and squares {three} must be (e1, in) and (e3, in, k, k), with k odd")

    @property
    def shape(self) -> torch.Size:
        return torch.Size((self.points.shape[0] + self.squares.shape[0], *self.squares.shape[1:]))

    @property
    def middle(self) -> tuple[int, int]:
        """Where the middle of a kernel is."""
        return self.shape[2] // 2, self.shape[3] // 2

    def forward(self) -> Tensor:
        down, right = self.middle
        return torch.cat((F.pad(self.points()[:, :, None, None], (right, right, down, down)), self.squares()))

    def conv2d(self, x: Tensor, bias: Tensor | None, stride, padding, dilation, groups) -> Tensor:
        if not self._apart(groups, padding):
            return super().conv2d(x, bias, stride, padding, dilation, groups)
        # The middle of the first kernel lies so far from the picture's edge: where it is beyond, it reads zeros.
        border = [side - middle * step for side, middle, step in zip(padding, self.middle, dilation, strict=True)]
        point = F.pad(x, (border[1], border[1], border[0], border[0])) if any(border) else x
        y = F.conv2d(point, self.points()[:, :, None, None], None, stride)
        y = torch.cat((y, F.conv2d(x, self.squares(), None, stride, padding, dilation)), 1)
        return y if bias is None else y + bias[:, None, None]

    def macs(self) -> int:
        return math.prod(self.points.shape) + math.prod(self.squares.shape)

    def conv_macs(self, before: tuple[int, int], after: tuple[int, int], groups: int, padding) -> int:
        return (self.macs() if self._apart(groups, padding) else math.prod(self.shape)) * math.prod(after)

    @staticmethod
    def _apart(groups: int, padding) -> bool:
        """Say whether the two kinds of filters can be convolved each for itself."""
        return groups == 1 and not isinstance(padding, str)

    def select(self, index: Tensor, dim: int) -> Weight:
        if dim == 1:
            return Expanded(self.points.select(index, 1), self.squares.select(index, 1))
        return super().select(index, dim)
