"""The nearest matrix of low displacement rank, by alternating least squares that the Fourier basis makes small.

    minimise  || M - 1/2 sum_i Z_1(g_i) Z_-1(h_i) ||_F   over g and h

For given h it is linear in g, with r n unknowns. But F Z_1(g) F^-1 = diag(F g), so that row k of F M is a sum of r
known rows, each times one unknown number: n problems of r unknowns. For given g the same holds for columns, since
Z_-1(h) = T^-1 Z_1(T h) T with T = diag(exp(i pi j / n)). Neither step raises the error.

A matrix that is not square is the corner of a square one, whose other entries nobody asked for. They are filled with
what the present estimate has there before each round; that does not raise the error either, since it was 0 there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.weights.toeplitz import displacement, f_circulant

RIDGE = 1e-10  # times the mean energy: two terms may be alike


def truncated(square: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return g and h (rank, n) whose displacement is the best of its rank: the SVD of Z_1 M - M Z_-1, cut.

    What is the nearest displacement is not the nearest matrix, but a place to start from.
    """
    u, s, v = torch.linalg.svd(displacement(square))
    root = s[:rank].sqrt()[:, None]
    return root * u.mT[:rank], (root * v[:rank]).flip(1)


def product(g: Tensor, h: Tensor) -> Tensor:
    """Return the square matrix 1/2 sum_i Z_1(g_i) Z_-1(h_i), (n, n)."""
    return sum(f_circulant(one, 1) @ f_circulant(two, -1) for one, two in zip(g, h, strict=True)) / 2


def solve_g(square: Tensor, h: Tensor) -> Tensor:
    """Return the best g (r, n) for given h: a small least-squares problem for each frequency."""
    known = torch.fft.rfft(f_circulant(h, -1), dim=1)  # term, frequency, column
    return torch.fft.irfft(_least_squares(known, 2 * torch.fft.rfft(square, dim=0)), len(square))


def solve_h(square: Tensor, g: Tensor) -> Tensor:
    """Return the best h (r, n) for given g: a small least-squares problem for each twisted frequency."""
    n = len(square)
    twist = torch.polar(torch.ones(n, dtype=g.dtype), math.pi / n * torch.arange(n, dtype=g.dtype))
    known, wanted = (torch.fft.ifft(one * twist.conj(), dim=-1).mT for one in (f_circulant(g, 1), 2 * square))
    return (torch.fft.ifft(_least_squares(known, wanted)) * twist.conj()).real


def _least_squares(known: Tensor, wanted: Tensor) -> Tensor:
    """Minimise |wanted_k - sum_i x_ik known_ik|^2 for each k: known (r, k, n), wanted (k, n), the result (r, k)."""
    gram = torch.einsum("ikn,jkn->kij", known.conj(), known)
    right = torch.einsum("ikn,kn->ki", known.conj(), wanted)
    ridge = RIDGE * gram.diagonal(dim1=1, dim2=2).real.mean() * torch.eye(len(known), dtype=gram.dtype)
    return torch.linalg.solve(gram + ridge, right).mT


def nearest(matrix: Tensor, rank: int, rounds: int) -> tuple[Tensor, Tensor]:
    """Return g and h (rank, n) of a matrix near to one of shape (out, in), n the larger side; float64.

    >>> from labkit.weights import ToeplitzLike
    >>> one = ToeplitzLike(torch.rand(1, 6), torch.rand(1, 6), (4, 6))
    >>> found = ToeplitzLike(*nearest(one().detach(), rank=1, rounds=200), (4, 6))
    >>> torch.allclose(found().float(), one(), atol=1e-2)
    True
    """
    out, in_ = matrix.shape
    n = max(out, in_)
    square = F.pad(matrix.double(), (0, n - in_, 0, n - out))
    g, h = truncated(square, rank)
    for _ in range(rounds):
        if out != in_:
            square = product(g, h)
            square[:out, :in_] = matrix
        g = solve_g(square, h)
        h = solve_h(square, g)
    return g, h
