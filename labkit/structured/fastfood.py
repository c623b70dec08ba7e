"""Adaptive Fastfood: three trained diagonals between Hadamard transforms and a permutation (Yang 2015).

    W = S H G P H B,   3 n numbers for n d

In the *adaptive* form that is used here, S, G and B are trained; the random ones of the kernel method are not.
For the nearest one, each diagonal has a closed form for given others, and they take turns:

    s_i = <V_i, K_i> / <K_i, K_i>,   K = H G P H B;      b_j alike from columns;
    g solves  (A'A o R R') g = diag(A' V R'),   A = S H,   R = P H B.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.structured.layerwise import Layerwise
from labkit.weights import Fastfood as FastfoodWeight
from labkit.weights.fastfood import diagonals, hadamard

ROUNDS = 3
RIDGE = 1e-9  # times the mean of the diagonal


def nearest(matrix: Tensor, order: Tensor, b: Tensor, rounds: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the diagonals s, g and b (d,) of one block near to a matrix (rows up to d, in up to d), float64.

    `order` (d,) is the permutation, `b` (d,) where the search starts. What lies beyond the matrix does not count.
    """
    v, d = matrix.double(), len(order)
    rows, columns = v.shape
    h = hadamard(d).double() / d**0.5
    left, right = h[:rows], h[order][:, :columns]
    s, b = torch.ones(rows, dtype=v.dtype), b.double().clone()
    for _ in range(rounds):
        a, r = s[:, None] * left, right * b[:columns]
        normal = (a.mT @ a) * (r @ r.mT)
        ridge = RIDGE * normal.diagonal().mean().clamp_min(1e-30) * torch.eye(d, dtype=v.dtype)
        g = torch.linalg.solve(normal + ridge, ((a.mT @ v) * r).sum(1))
        middle = (left * g) @ right
        s = _scale(v, middle * b[:columns], 1)
        b[:columns] = _scale(v, s[:, None] * middle, 0)
    return torch.cat([s, torch.ones(d - rows, dtype=v.dtype)]), g, b


def _scale(wanted: Tensor, given: Tensor, dim: int) -> Tensor:
    """Return the factors of rows (dim 1) or columns (dim 0) with which the given comes nearest to the wanted."""
    return (wanted * given).sum(dim) / given.square().sum(dim).clamp_min(1e-30)


class Fastfood(Layerwise):
    """Adaptive Fastfood, from the largest layer on.

    >>> from labkit import zoo
    >>> small = Fastfood("random").prepare(zoo.load("LeNet-300-100")).at(1)
    >>> tuple(small.fc1.weight.g.shape)
    (1, 1024)
    """

    title = "Adaptive Fastfood"
    idea = (
        "Hadamard transforms mix all inputs without a single number stored; three diagonals between them are trained."
    )
    equation = r"W = S H G \Pi H B, \quad 3 \text{ numbers for each of } n \text{ outputs}"
    stores = "three diagonals, and a seed for the permutation; sides are rounded up to powers of two"
    drawback = "Few numbers, and no dial for more; a side that is no power of two is filled up with zeros."
    paper = "yang2015"

    def nearest(self, matrix: Tensor, value: float, seed: int) -> FastfoodWeight:
        start = self._start(tuple(matrix.shape), 1.0, torch.Generator().manual_seed(seed))
        d = start.b.shape[1]
        parts = zip(matrix.split(d), start.order(), start.b(), strict=True)
        found = [nearest(block, order, b.detach(), ROUNDS) for block, order, b in parts]
        s, g, b = (torch.stack(one).float() for one in zip(*found, strict=True))
        return FastfoodWeight(s, g, b, seed, tuple(matrix.shape))

    def draw(self, shape, value: float, std: float, generator: torch.Generator) -> FastfoodWeight:
        return self._start(shape, std, generator)

    @staticmethod
    def _start(shape: tuple[int, int], std: float, generator: torch.Generator) -> FastfoodWeight:
        """Random signs in B, Gaussian numbers in G, and one scale in S (Yang 2015)."""
        sides = diagonals(*shape)
        b = 2.0 * torch.randint(2, sides, generator=generator) - 1
        g = torch.randn(sides, generator=generator)
        s = torch.full(sides, std * sides[1] ** 0.5)  # a row of H G P H B has norm 1 in the mean
        return FastfoodWeight(s, g, b, generator.initial_seed(), shape)
