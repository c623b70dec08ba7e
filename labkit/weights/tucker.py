"""A convolution between few channels, with a 1 x 1 one before it and one behind it: Kim 2016."""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.weights.base import Weight, as_weight
from labkit.weights.chain import Chain, Thin


class Tucker2(Chain):
    """A kernel whose channels are mixed from fewer: W[o,i,y,x] = sum over r, s of u[o,r] core[r,s,y,x] v[s,i].

    `u` is (out, r_out), `core` (r_out, r_in, height, width), `v` (r_in, in), tensors or Weights. The picture
    meets v, then the core, then u: three convolutions, of 1 x 1, height x width and 1 x 1. Raises ValueError for
    factors that are no such arrays or whose ranks differ (Kim 2016).

    >>> u, core, v = torch.tensor([[1.0], [2.0]]), torch.tensor([[[[3.0, 4.0]]]]), torch.tensor([[10.0, 0.0]])
    >>> Tucker2(u, core, v)().tolist()
    [[[[30.0, 40.0]], [[0.0, 0.0]]], [[[60.0, 80.0]], [[0.0, 0.0]]]]
    """

    inner = ("u", "core", "v")

    def __init__(self, u: Weight | Tensor, core: Weight | Tensor, v: Weight | Tensor):
        super().__init__()
        self.u, self.core, self.v = as_weight(u), as_weight(core), as_weight(v)
        u_, core_, v_ = tuple(self.u.shape), tuple(self.core.shape), tuple(self.v.shape)
        if (len(u_), len(core_), len(v_)) != (2, 4, 2) or core_[:2] != (u_[1], v_[0]) or 0 in core_[:2]:
            raise ValueError(
                f"u {u_}, core {core_} and v {v_} must be (out, r_out), (r_out, r_in, height, width) and (r_in, in)"
            )

    @property
    def shape(self) -> torch.Size:
        return torch.Size((self.u.shape[0], self.v.shape[1], *self.core.shape[2:]))

    def forward(self) -> Tensor:
        return torch.einsum("or,rsyx,si->oiyx", self.u(), self.core(), self.v())

    def thin(self) -> tuple[Thin, ...]:
        return (
            Thin(self.v, (*self.v.shape, 1, 1)),
            Thin(self.core, tuple(self.core.shape), rows=True, columns=True),
            Thin(self.u, (*self.u.shape, 1, 1)),
        )

    def select(self, index: Tensor, dim: int) -> Weight:
        if dim == 0:
            return Tucker2(self.u.select(index, 0), self.core, self.v)
        return Tucker2(self.u, self.core, self.v.select(index, 1))
