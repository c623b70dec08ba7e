"""Few survivors among zeros: LeCun 1990, Han 2015."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from labkit.weights.base import Weight, as_weight, check_whole


class Sparse(Weight):
    """Most numbers are zero: only the others are stored, with their flat positions in ascending order.

    >>> Sparse(torch.tensor([1, 2]), torch.tensor([5.0, 6.0]), (2, 2))().tolist()
    [[0.0, 5.0], [6.0, 0.0]]
    """

    inner = ("values",)

    def __init__(self, positions: Tensor, values: Weight | Tensor, shape: tuple[int, ...]):
        super().__init__()
        values = as_weight(values)
        if positions.ndim != 1 or tuple(values.shape) != tuple(positions.shape):
            raise ValueError(
                f"positions {tuple(positions.shape)} and values {tuple(values.shape)} must be equally long"
            )
        check_whole("positions", positions, math.prod(shape))
        if len(positions) > 1 and not bool((positions[1:] > positions[:-1]).all()):
            raise ValueError("positions must be in ascending order, each once")
        if isinstance(values, Sparse):  # zeros among the survivors: one list of positions says both
            positions, values = positions[values.positions], values.values
        self._shape = torch.Size(shape)
        self.values = values
        self.register_buffer("positions", positions.to(torch.int64))

    @property
    def shape(self) -> torch.Size:
        return self._shape

    def forward(self) -> Tensor:
        values = self.values()
        return values.new_zeros(self.shape.numel()).index_copy(0, self.positions, values).view(self.shape)

    def macs(self) -> int:
        return len(self.positions)

    def select(self, index: Tensor, dim: int) -> Weight:
        slots = self.positions.new_full((self.shape.numel(),), -1)  # which value stands where, -1 for none
        slots[self.positions] = torch.arange(len(self.positions), device=slots.device)
        slots = slots.view(self.shape).index_select(dim, index)
        positions = torch.nonzero(slots.flatten() >= 0).flatten()
        return Sparse(positions, self.values.take(slots.flatten()[positions]), tuple(slots.shape))
