"""A convolution as a sum of rank-one kernels, each a product of four vectors: Lebedev 2015."""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.weights.base import Weight, as_weight
from labkit.weights.chain import Chain, Thin


class CP(Chain):
    """A kernel of R rank-one components: W[o,i,y,x] = sum over r of u[o,r] v[r,i] vertical[r,y] horizontal[r,x].

    `u` is (out, R), `v` (R, in), `vertical` (R, height), `horizontal` (R, width), tensors or Weights. A picture is
    mixed into R channels, each of which has a column and then a row of its own, and these are mixed into the outputs:
    R (out + in + height + width) numbers for out * in * height * width. Raises ValueError for factors that are no
    such matrices or whose ranks differ (Lebedev 2015).

    >>> u, v = torch.tensor([[2.0]]), torch.tensor([[1.0, 10.0]])
    >>> CP(u, v, torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0]]))().flatten().tolist()
    [2.0, 6.0, 20.0, 60.0]
    """

    inner = ("u", "v", "vertical", "horizontal")

    def __init__(self, u: Weight | Tensor, v: Weight | Tensor, vertical: Weight | Tensor, horizontal: Weight | Tensor):
        super().__init__()
        self.u, self.v = as_weight(u), as_weight(v)
        self.vertical, self.horizontal = as_weight(vertical), as_weight(horizontal)
        shapes = [tuple(getattr(self, name).shape) for name in self.inner]
        ranks = {shapes[0][-1:], *(shape[:1] for shape in shapes[1:])}
        if any(len(shape) != 2 for shape in shapes) or len(ranks) != 1 or ranks == {(0,)}:
            shown = ", ".join(f"{name} {shape}" for name, shape in zip(self.inner, shapes, strict=True))
            raise ValueError(f"{shown} must be (out, R), (R, in), (R, height) and (R, width), of one rank R")

    @property
    def shape(self) -> torch.Size:
        return torch.Size((self.u.shape[0], *(part.shape[1] for part in (self.v, self.vertical, self.horizontal))))

    def forward(self) -> Tensor:
        right = torch.einsum("ri,ry,rx->riyx", self.v(), self.vertical(), self.horizontal())
        return (self.u() @ right.flatten(1)).view(self.shape)

    def thin(self) -> tuple[Thin, ...]:
        (out, inside, height, width), rank = self.shape, self.v.shape[0]
        return (
            Thin(self.v, (rank, inside, 1, 1)),
            Thin(self.vertical, (rank, 1, height, 1), rows=True, groups=rank),
            Thin(self.horizontal, (rank, 1, 1, width), columns=True, groups=rank),
            Thin(self.u, (out, rank, 1, 1)),
        )

    def select(self, index: Tensor, dim: int) -> Weight:
        u, v = (self.u.select(index, 0), self.v) if dim == 0 else (self.u, self.v.select(index, 1))
        return CP(u, v, self.vertical, self.horizontal)
