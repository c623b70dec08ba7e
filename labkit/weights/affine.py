"""Whole numbers on an even grid: Vanhoucke 2011, Jacob 2018."""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.weights.base import Weight, as_weight, check_scale, check_whole, spread

MOST_CODES = 2**16


class Affine(Weight):
    """Every number is a whole number of steps away from zero: w = scale * (codes - zero).

    `codes` are whole numbers from 0 to 2^b - 1 in the shape of the weight, b at most 16. `scale` is
    the step and `zero` the code that means 0; both have shape (1,), or (out,) for a step of its own in
    each row, channel or filter: the first dimension. Training moves the scale (Jacob 2018). Raises
    TypeError or ValueError for codes that are not such numbers, and for shapes that do not fit.

    >>> Affine(torch.tensor([[0, 1], [2, 3]]), torch.tensor([0.5]), torch.tensor([1]))().tolist()
    [[-0.5, 0.0], [0.5, 1.0]]
    >>> Affine(torch.tensor([[0, 1], [2, 3]]), torch.tensor([0.5, 10.0]), torch.tensor([1, 2]))().tolist()
    [[-0.5, 0.0], [0.0, 10.0]]
    """

    def __init__(self, codes: Tensor, scale: Weight | Tensor, zero: Tensor):
        super().__init__()
        self.scale = as_weight(scale.reshape(1) if isinstance(scale, Tensor) and scale.ndim == 0 else scale)
        zero = zero.reshape(1) if zero.ndim == 0 else zero
        check_scale(self.scale, codes)
        if zero.shape != self.scale.shape:
            raise ValueError(
                f"zero has shape {tuple(zero.shape)}, but must be of scale's shape {tuple(self.scale.shape)}"
            )
        check_whole("codes", codes, MOST_CODES)
        check_whole("zero", zero, MOST_CODES)
        self.register_buffer("codes", codes.to(torch.int32))
        self.register_buffer("zero", zero.to(torch.int32))

    @property
    def shape(self) -> torch.Size:
        return self.codes.shape

    @property
    def sharing(self) -> float:
        return max(1.0, self.codes.numel() / max(1, self.scale.shape[0]))

    def forward(self) -> Tensor:
        scale, zero = spread(self.scale(), self.codes), spread(self.zero, self.codes)
        return scale * (self.codes - zero).to(scale.dtype)

    def take(self, positions: Tensor) -> Weight:
        if self.scale.shape[0] > 1:  # what is left of the rows is no rectangle, so no row can have its scale
            return super().take(positions)
        return Affine(self.codes.flatten()[positions], self.scale, self.zero)

    def select(self, index: Tensor, dim: int) -> Weight:
        scale, zero = self.scale, self.zero
        if dim == 0 and scale.shape[0] > 1:
            scale, zero = scale.select(index, 0), zero[index]
        return Affine(self.codes.index_select(dim, index), scale, zero)
