"""The nearest matrix of low displacement rank, as a low-rank approximation with weights.

    minimise  || M - 1/2 sum_i Z_1(g_i) Z_-1(h_i) ||_F   over g and h

With F the discrete Fourier transform and T = diag(exp(i pi j / n)), both factors become diagonal: Z_1(g) =
F^-1 diag(F g) F and Z_-1(h) = T^-1 F^-1 diag(F T h) F T. Between them stands C = F T^-1 F^-1, and so

    F M T^-1 F^-1  =  1/2 C o (sum_i (F g_i) (F T h_i)'),   C_kl = (2 / n) / (1 - exp(-i pi (2 (k - l) + 1) / n)):

entry by entry, a Toeplitz-like matrix is a matrix of rank r, weighted by C, which is a Cauchy matrix. For given h, each
row of the left side gives r numbers of g by a small least-squares problem, and for given g each column r of h. They
take turns, and no step raises the error.

A matrix that is not square is the corner of a square one, whose other entries nobody asked for. They are filled with
what the present estimate has there before each round; that does not raise the error either, since it was 0 there.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.weights.toeplitz import displacement

RIDGE = 1e-10  # times the mean energy: two terms may be alike
MORE, ITERATIONS = 8, 3  # of the subspace iteration: directions more than the rank, and rounds


def nearest(matrix: Tensor, rank: int, rounds: int) -> tuple[Tensor, Tensor]:
    """Return g and h (rank, n) of a matrix near to one of shape (out, in), n the larger side; float64.

    >>> from labkit.weights import ToeplitzLike
    >>> one = ToeplitzLike(torch.rand(1, 6), torch.rand(1, 6), (4, 6))
    >>> found = ToeplitzLike(*nearest(one().detach(), rank=1, rounds=300), (4, 6))
    >>> torch.allclose(found().float(), one(), atol=1e-2)
    True
    """
    (out, in_), n = matrix.shape, max(matrix.shape)
    square = F.pad(matrix.double(), (0, n - in_, 0, n - out))
    c, twist = cauchy(n), twisting(n)
    g, h = truncated(square, rank)
    g, h = torch.fft.fft(g).mT, torch.fft.fft(h * twist).mT  # (n, rank)
    for _ in range(rounds):
        if out != in_:
            square = from_spectrum(c * (g @ h.mT) / 2, twist)
            square[:out, :in_] = matrix
        wanted = 2 * to_spectrum(square, twist)
        g = solve(c, h, wanted)
        h = solve(c.mT, g, wanted.mT)
    return torch.fft.ifft(g.mT).real, (torch.fft.ifft(h.mT) * twist.conj()).real


def twisting(n: int) -> Tensor:
    """Return the diagonal of T, exp(i pi j / n), complex (n,)."""
    return torch.polar(torch.ones(n, dtype=torch.float64), torch.pi / n * torch.arange(n, dtype=torch.float64))


def cauchy(n: int) -> Tensor:
    """Return C = F T^-1 F^-1 (n, n), complex."""
    steps = torch.arange(n, dtype=torch.float64)
    angles = -torch.pi / n * (2 * (steps[:, None] - steps) + 1)
    return 2 / n / (1 - torch.polar(torch.ones_like(angles), angles))


def to_spectrum(square: Tensor, twist: Tensor) -> Tensor:
    """Return F M T^-1 F^-1 (n, n)."""
    return torch.fft.fft(torch.fft.ifft(square * twist.conj()), dim=0)


def from_spectrum(spectrum: Tensor, twist: Tensor) -> Tensor:
    """Return the real matrix that has a spectrum."""
    return (torch.fft.ifft(torch.fft.fft(spectrum), dim=0) * twist).real


def truncated(square: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return g and h (rank, n) whose displacement is the best of its rank: the SVD of Z_1 M - M Z_-1, cut.

    The nearest displacement is not that of the nearest matrix, but a place to start from.
    """
    u, s, v = leading(displacement(square), rank)
    root = s.sqrt()[:, None]
    return root * u.mT, (root * v).flip(1)


def leading(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return about the first `rank` singular vectors and values, by subspace iteration, the same whenever it is asked.

    u (n, rank), s (rank,), v (rank, n). For a matrix of at most this rank it is exact. A whole SVD would take longer
    than all that follows.
    """
    random = torch.randn(len(matrix), rank + MORE, generator=torch.Generator().manual_seed(0), dtype=matrix.dtype)
    basis = torch.linalg.qr(matrix @ random).Q
    for _ in range(ITERATIONS):
        basis = torch.linalg.qr(matrix @ (matrix.mT @ basis)).Q
    u, s, v = torch.linalg.svd(basis.mT @ matrix, full_matrices=False)
    return basis @ u[:, :rank], s[:rank], v[:rank]


def solve(c: Tensor, known: Tensor, wanted: Tensor) -> Tensor:
    """Return x (n, r) of the least  sum_l |wanted_kl - C_kl sum_i x_ki known_li|^2  for each k; all are complex.

    `known` is (n, r), `wanted` (n, n).
    """
    pairs = (known.conj()[:, :, None] * known[:, None]).flatten(1)  # (l, r r)
    gram = (c.abs().square().to(pairs.dtype) @ pairs).unflatten(1, (known.shape[1], -1))
    energy = gram.diagonal(dim1=1, dim2=2).real.mean().clamp_min(1e-30)
    ridge = RIDGE * energy * torch.eye(known.shape[1], dtype=gram.dtype)
    return torch.linalg.solve(gram + ridge, (c.conj() * wanted) @ known.conj())
