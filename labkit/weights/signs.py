"""One bit for each weight, its sign, and a scale: Courbariaux 2015, Rastegari 2016."""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.weights.base import Weight, as_weight, check_scale, check_whole, spread


class Signs(Weight):
    """Every number is the scale or its negative: w = scale * (2 code - 1).

    `codes` are 0 for -scale and 1 for +scale, in the shape of the weight, and take one bit each in a
    file. `scale` has shape (1,), or (out,) for a scale of its own in each row or filter: the first
    dimension. Training moves the scale. Raises TypeError or ValueError for codes that are not 0 or 1,
    and for shapes that do not fit (Rastegari 2016).

    >>> Signs(torch.tensor([[0, 1], [1, 1]]), torch.tensor([0.5, 2.0]))().tolist()
    [[-0.5, 0.5], [2.0, 2.0]]
    """

    def __init__(self, codes: Tensor, scale: Weight | Tensor):
        super().__init__()
        self.scale = as_weight(scale)
        check_scale(self.scale, codes)
        check_whole("codes", codes, 2)
        self.register_buffer("codes", codes.to(torch.uint8))

    @property
    def shape(self) -> torch.Size:
        return self.codes.shape

    @property
    def sharing(self) -> float:
        return max(1.0, self.codes.numel() / max(1, self.scale.shape[0]))

    def forward(self) -> Tensor:
        scale = spread(self.scale(), self.codes)
        return scale * (2 * self.codes.to(scale.dtype) - 1)

    def take(self, positions: Tensor) -> Weight:
        if self.scale.shape[0] > 1:  # what is left of the rows is no rectangle, so no row can have its scale
            return super().take(positions)
        return Signs(self.codes.flatten()[positions], self.scale)

    def select(self, index: Tensor, dim: int) -> Weight:
        scale = self.scale.select(index, 0) if dim == 0 and self.scale.shape[0] > 1 else self.scale
        return Signs(self.codes.index_select(dim, index), scale)
