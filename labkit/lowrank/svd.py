"""Truncated singular value decomposition: a matrix as the product of two thin ones.

    W = U diag(s) V'  is cut to  W_r = (U_r sqrt(s_r)) (sqrt(s_r) V_r'),  r (m + n) numbers for m n.

No matrix of rank r is nearer to W (Eckart and Young 1936), and the squared distance is the sum of
the squared singular values cut off. It pays below the break-even rank m n / (m + n). The
decomposition costs O(m n min(m, n)) once; each rank is then a slice. Networks: Denton 2014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from labkit.lowrank.spectrum import spectrum
from labkit.methods import Fit, Knob, LeafMethod, Picture, numbers
from labkit.weights import LowRank, Weight


def svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Decompose a matrix (m, n) into u (m, k), s (k,) and v (k, n), k = min(m, n), so that u diag(s) v is it.

    >>> u, s, v = svd(torch.tensor([[3.0, 0.0], [0.0, 2.0]]))
    >>> s.tolist()
    [3.0, 2.0]
    """
    return torch.linalg.svd(matrix, full_matrices=False)


def break_even(rows: int, columns: int) -> int:
    """Return the largest rank that stores fewer numbers than the matrix: r (m + n) < m n.

    >>> break_even(300, 784)
    216
    """
    return (rows * columns - 1) // (rows + columns)


class RankFit(Fit, Protocol):
    """One weight, prepared to be cut at any rank: what `fit` returns in this section."""

    @property
    def top(self) -> int:
        """The largest rank at which it stores fewer numbers; 0 where there is none. Above it, `at` returns None."""


@dataclass
class SVDFit:
    """The decomposition of one weight, ready to be cut at any rank."""

    u: Tensor
    s: Tensor
    v: Tensor
    shape: torch.Size

    @property
    def top(self) -> int:
        """The largest rank that pays."""
        return break_even(len(self.u), self.v.shape[1])

    def at(self, rank: int) -> Weight | None:
        """Keep the `rank` largest singular values; None from the break-even rank on."""
        if rank > self.top:
            return None
        root = self.s[:rank].sqrt()
        return LowRank(self.u[:, :rank] * root, root[:, None] * self.v[:rank], self.shape)

    def picture(self, rank: int, name: str) -> Picture:
        """The spectrum with its cut."""
        return spectrum(self.s, rank, name, rank <= self.top)


class SVD(LeafMethod):
    """Truncated SVD of every matrix, and of every convolution as a matrix (out, in * height * width)."""

    title = "Truncated SVD"
    idea = "Each matrix becomes the product of two thin ones, the best of its rank."
    equation = r"W \approx U_r V_r, \quad r(m+n) \text{ numbers for } mn"
    stores = "two thin matrices for each layer; layers in which the rank does not pay stay as they are"
    drawback = (
        "Layer by layer: nothing says which layer needs which rank, and it takes retraining to win accuracy back."
    )
    paper = "denton2014"
    knob = Knob("rank", "rank of every layer", (1, 2, 4, 8, 16, 32), 16)
    matrices = True
    slices: ClassVar[bool] = True  # each rank is a slice of what was prepared, and takes no time

    def fit(self, leaf: Weight) -> SVDFit:
        values = numbers(leaf)
        return SVDFit(*svd(values.reshape(len(values), -1).cpu()), values.shape)

    def knob_for(self, fits: dict[str, RankFit]) -> Knob:
        """Ranks from 1 to the largest that pays, in steps that keep their ratio."""
        top = max(1, *(fit.top for fit in fits.values()), 1)
        steps = {round(2 ** (half / 2)) for half in range(2 * math.ceil(math.log2(top)) + 1)}
        ranks = tuple(sorted(rank for rank in steps | {top} if rank <= top))
        return Knob("rank", "rank of every layer", ranks, ranks[-1])
