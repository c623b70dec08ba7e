"""A convolution by columns, then by rows: Jaderberg 2014, Tai 2016."""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.weights.base import Weight, as_weight
from labkit.weights.chain import Chain, Thin


class Separable(Chain):
    """A convolution of rank r as a vertical one and a horizontal one: W[o,i,y,x] = sum over r of h[o,r,x] v[r,i,y].

    `horizontal` h is (out, r, width), `vertical` v is (r, in, height), tensors or Weights. The picture meets v
    first, so that a position takes r (in * height + out * width) multiplications for out * in * height * width.
    Raises ValueError for factors that are no such arrays or whose ranks differ (Jaderberg 2014, scheme 2).

    >>> h, v = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[3.0, 4.0]]])
    >>> Separable(h, v)().tolist()
    [[[[3.0, 6.0], [4.0, 8.0]]]]
    """

    inner = ("horizontal", "vertical")

    def __init__(self, horizontal: Weight | Tensor, vertical: Weight | Tensor):
        super().__init__()
        self.horizontal, self.vertical = as_weight(horizontal), as_weight(vertical)
        h, v = tuple(self.horizontal.shape), tuple(self.vertical.shape)
        if len(h) != 3 or len(v) != 3 or h[1] != v[0] or v[0] < 1:
            raise ValueError(
                f"horizontal {h} and vertical {v} must be (out, rank, width) and (rank, in, height), of one rank"
            )

    @property
    def shape(self) -> torch.Size:
        (out, _, width), (_, inside, height) = self.horizontal.shape, self.vertical.shape
        return torch.Size((out, inside, height, width))

    def forward(self) -> Tensor:
        return torch.einsum("orx,riy->oiyx", self.horizontal(), self.vertical())

    def thin(self) -> tuple[Thin, ...]:
        (out, rank, width), (_, inside, height) = self.horizontal.shape, self.vertical.shape
        return (
            Thin(self.vertical, (rank, inside, height, 1), rows=True),
            Thin(self.horizontal, (out, rank, 1, width), columns=True),
        )

    def select(self, index: Tensor, dim: int) -> Weight:
        if dim == 0:
            return Separable(self.horizontal.select(index, 0), self.vertical)
        return Separable(self.horizontal, self.vertical.select(index, 1))
