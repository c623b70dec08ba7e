"""A product of two thin matrices: Denton 2014."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from labkit.weights.base import Weight, as_weight
from labkit.weights.chain import Chain, Thin


class LowRank(Chain):
    """A matrix of rank r as the product of two thin ones: W = u v, u (out, r), v (r, in).

    For a convolution the matrix is (out, in * height * width), and `shape` says so. The product with
    a picture never forms W: first v, then u, r (out + in) multiplications instead of out * in.

    >>> LowRank(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0, 4.0]]), (2, 2))().tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """

    inner = ("u", "v")

    def __init__(self, u: Weight | Tensor, v: Weight | Tensor, shape: tuple[int, ...]):
        super().__init__()
        self.u, self.v = as_weight(u), as_weight(v)
        rows, columns = shape[0], math.prod(shape[1:])
        (out, rank), (rank2, in_) = self._sides(self.u, "u"), self._sides(self.v, "v")
        if (out, in_) != (rows, columns) or rank != rank2 or rank < 1:
            raise ValueError(f"u {(out, rank)} and v {(rank2, in_)} do not multiply to shape {tuple(shape)}")
        self._shape = torch.Size(shape)

    @staticmethod
    def _sides(factor: Weight, name: str) -> tuple[int, int]:
        if len(factor.shape) != 2:
            raise ValueError(f"{name} must be a matrix, not of shape {tuple(factor.shape)}")
        return factor.shape[0], factor.shape[1]

    @property
    def shape(self) -> torch.Size:
        return self._shape

    def forward(self) -> Tensor:
        return (self.u() @ self.v()).view(self.shape)

    def linear(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        return self.u.linear(self.v.linear(x), bias)

    def thin(self) -> tuple[Thin, ...]:
        (out, rank), kernel = self.u.shape, self.shape[1:]
        return Thin(self.v, (rank, *kernel), rows=True, columns=True), Thin(self.u, (out, rank, 1, 1))

    def macs(self) -> int:
        return self.u.macs() + self.v.macs()

    def select(self, index: Tensor, dim: int) -> Weight:
        shape = list(self.shape)
        shape[dim] = len(index)
        if dim == 0:
            return LowRank(self.u.select(index, 0), self.v, tuple(shape))
        kernel = math.prod(shape[2:])
        columns = index[:, None] * kernel + torch.arange(kernel, device=index.device)
        return LowRank(self.u, self.v.select(columns.flatten(), 1), tuple(shape))
