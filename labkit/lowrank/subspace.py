"""A matrix of which only r directions of its outputs are kept: W_r = Q_r Q_r' W.

The columns of Q_r (m, r) are orthonormal, and span a subspace of the outputs. Whatever the layer reads, it answers
with the part of its output that lies in there. All that is left to choose is the subspace.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from labkit.lowrank.spectrum import spectrum
from labkit.lowrank.svd import break_even
from labkit.methods import Picture
from labkit.weights import LowRank

SMALLEST = 1e-30  # what a direction that carries nothing is divided by


def project(matrix: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Write Q Q' W as u v, for a matrix W (m, n) and orthonormal columns Q (m, r); u is (m, r), and v is (r, n).

    Column i of u and row i of v have the same norm, as in an SVD, so that they train and round alike.

    >>> u, v = project(torch.tensor([[0.0, 4.0], [2.0, 3.0]]), torch.tensor([[1.0], [0.0]]))
    >>> (u @ v).tolist(), u.tolist(), v.tolist()
    ([[0.0, 4.0], [0.0, 0.0]], [[2.0], [0.0]], [[0.0, 2.0]])
    """
    rows = q.mT @ matrix
    root = torch.linalg.vector_norm(rows, dim=1, keepdim=True).sqrt()
    return q * root.mT, rows / root.clamp_min(SMALLEST)


@dataclass
class SubspaceFit:
    """One weight as a matrix (m, n), and the directions q (m, k) in the order in which they are kept.

    `s` (k,) says what each direction carries, which the picture draws and calls `of`; `shape` is the weight's.
    """

    q: Tensor
    s: Tensor
    matrix: Tensor
    shape: torch.Size
    of: str

    @property
    def top(self) -> int:
        """The largest rank that pays."""
        return break_even(*self.matrix.shape)

    def at(self, rank: int) -> LowRank | None:
        """Keep the first `rank` directions; None from the break-even rank on."""
        return LowRank(*project(self.matrix, self.q[:, :rank]), self.shape) if rank <= self.top else None

    def picture(self, rank: int, name: str) -> Picture:
        """What each direction carries, with the cut."""
        return spectrum(self.s, rank, name, rank <= self.top, self.of)
