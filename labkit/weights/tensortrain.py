"""A matrix as a train of three small cores: Novikov 2015."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from labkit.weights.base import Weight, as_weight


class TensorTrain(Weight):
    """A matrix whose rows and columns are counted in three digits, o = (o1, o2, o3) and i = (i1, i2, i3):

        W[o, i] = sum over a, b of  first[0,o1,i1,a] second[a,o2,i2,b] third[b,o3,i3,0].

    A core is (rank before, rows, columns, rank after), a tensor or a Weight; the last digit runs fastest. For a
    convolution the matrix is (out, in * height * width), and `shape` says so. A fully connected layer multiplies by
    the cores, one after the other, and never forms W; a convolution computes W. Raises ValueError for cores that do
    not fit together or do not make `shape` (Novikov 2015).

    >>> first, second = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1), torch.tensor([1.0, 10.0]).view(1, 1, 2, 1)
    >>> TensorTrain(first, second, torch.ones(1, 1, 1, 1), (2, 2))().tolist()
    [[1.0, 10.0], [2.0, 20.0]]
    """

    inner = ("first", "second", "third")

    def __init__(self, first: Weight | Tensor, second: Weight | Tensor, third: Weight | Tensor, shape: tuple[int, ...]):
        super().__init__()
        self.first, self.second, self.third = as_weight(first), as_weight(second), as_weight(third)
        self._shape = torch.Size(shape)
        cores = [tuple(core.shape) for core in self.cores]
        if any(len(core) != 4 or min(core) < 1 for core in cores) or not self._fit(cores):
            raise ValueError(
                f"cores {cores[0]}, {cores[1]} and {cores[2]} must be (1, o1, i1, a), (a, o2, i2, b) and "
                f"(b, o3, i3, 1), and make a matrix of shape {tuple(shape)}"
            )

    def _fit(self, cores: list[tuple[int, ...]]) -> bool:
        before, rows, columns, after = zip(*cores, strict=True)
        sides = self._shape[:1].numel(), self._shape[1:].numel()
        return (1, *after) == (*before, 1) and len(self._shape) > 1 and (math.prod(rows), math.prod(columns)) == sides

    @property
    def cores(self) -> tuple[Weight, Weight, Weight]:
        """The three cores, in their order."""
        return self.first, self.second, self.third

    @property
    def shape(self) -> torch.Size:
        return self._shape

    def forward(self) -> Tensor:
        product = torch.einsum("zoia,apjb,bqky->opqijk", *(core() for core in self.cores))
        return product.reshape(self.shape)

    def linear(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        first, *others = (core.shape[2] for core in self.cores)
        # picture, rows so far, rank, column, the others
        y = x.reshape(math.prod(x.shape[:-1]), 1, 1, first, math.prod(others))
        for core, after in zip(self.cores, (*others, 1), strict=True):
            y = torch.einsum("norij,rpis->nopsj", y, core())
            pictures, rows, more, rank, rest = y.shape
            y = y.reshape(pictures, rows * more, rank, after, rest // after)
        y = y.reshape(*x.shape[:-1], self.shape[0])
        return y if bias is None else y + bias

    def macs(self) -> int:
        """Count the multiplications of `linear`, or of a convolution with the dense weight."""
        if len(self.shape) > 2:
            return super().macs()
        total, rows, rest = 0, 1, self.shape[1]
        for core in self.cores:
            rest //= core.shape[2]  # the columns that are still to come
            total += rows * math.prod(core.shape) * rest
            rows *= core.shape[1]
        return total
