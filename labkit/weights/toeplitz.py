"""Matrices of low displacement rank, near to Toeplitz matrices, multiplied by FFT: Sindhwani 2015."""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.weights.base import Weight, as_weight, in_parts
from labkit.weights.circulant import circulant
from labkit.weights.spectra import Spectral, fft_macs

LARGEST = 2**14  # rows: the square matrix, which a file of few numbers may ask for, then fits into a gigabyte


def f_circulant(column: Tensor, f: float) -> Tensor:
    """Write out f-circulant matrices from their first columns: (…, n) becomes (…, n, n).

        Z_f(v)[i, j] = v[i - j] where i >= j,   f v[n + i - j] above the diagonal

    Z_1 is a circulant, Z_-1 has another sign above the diagonal.

    >>> f_circulant(torch.tensor([1.0, 2.0, 3.0]), -1).tolist()
    [[1.0, -3.0, -2.0], [2.0, 1.0, -3.0], [3.0, 2.0, 1.0]]
    """
    whole = circulant(column)
    steps = torch.arange(column.shape[-1], device=column.device)
    return torch.where(steps[:, None] < steps, f * whole, whole)


def shift(n: int, f: float) -> Tensor:
    """Return Z_f (n, n): it moves a vector down by one, and the last number comes back at the top, times f.

    >>> shift(3, -1).int().tolist()
    [[0, 0, -1], [1, 0, 0], [0, 1, 0]]
    """
    z = torch.diag(torch.ones(n - 1), -1)
    z[0, -1] = f
    return z


def displacement(matrix: Tensor) -> Tensor:
    """Return Z_1 M - M Z_-1 (n, n): what is left of a square matrix when it is shifted and taken from itself.

    It has rank r for a ToeplitzLike of displacement rank r, at most 2 for a Toeplitz matrix, and full rank for most.
    Raises ValueError for a matrix that is not square.

    >>> displacement(f_circulant(torch.tensor([1.0, 2.0, 3.0]), 1)).tolist()
    [[0.0, 0.0, 2.0], [0.0, 0.0, 4.0], [0.0, 0.0, 6.0]]
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"the displacement is that of a square matrix, not of shape {tuple(matrix.shape)}")
    below = torch.cat([matrix[-1:], matrix[:-1]])  # Z_1 M
    left = torch.cat([matrix[:, 1:], -matrix[:, :1]], 1)  # M Z_-1
    return below - left


def inner_displacement(matrix: Tensor) -> Tensor:
    """Return M[i, j] - M[i + 1, j + 1], (out - 1, in - 1): the displacement without its border, of any matrix.

    It is a part of that of the square matrix of which M is a corner, so its rank is no larger.

    >>> inner_displacement(torch.tensor([[1.0, 2.0, 3.0], [4.0, 1.0, 2.0]])).tolist()
    [[0.0, 0.0]]
    """
    return matrix[:-1, :-1] - matrix[1:, 1:]


class ToeplitzLike(Spectral):
    """A matrix of displacement rank r: M = 1/2 sum_i Z_1(g_i) Z_-1(h_i), 2 n r numbers for n^2.

        Z_1 M - M Z_-1 = sum_i g_i (J h_i)',   J turns h_i round: a matrix of rank r

    `g` and `h` (r, n), tensors or Weights, n the larger side of `shape` (out, in); the first rows and columns
    are kept. A product takes 2 r + 2 FFTs and never forms M. r = 1 holds all circulants, r = 2 all Toeplitz matrices
    and their inverses. Raises ValueError for g and h that do not make `shape` (Sindhwani 2015).

    >>> ToeplitzLike(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 3.0]]), (2, 2))().tolist()
    [[1.0, -3.0], [3.0, 1.0]]
    """

    inner = ("g", "h")

    def __init__(self, g: Weight | Tensor, h: Weight | Tensor, shape: tuple[int, ...]):
        super().__init__()
        self.g, self.h, self._shape = as_weight(g), as_weight(h), torch.Size(shape)
        sides = tuple(self.g.shape)
        same = sides == tuple(self.h.shape) and len(sides) == 2 and min(sides) >= 1
        if not same or len(shape) != 2 or sides[1] != max(shape) or sides[1] > LARGEST:
            raise ValueError(
                f"g {sides} and h {tuple(self.h.shape)} must both be (rank, n), with n the larger side "
                f"of the shape {tuple(shape)}, and at most {LARGEST}"
            )

    @property
    def shape(self) -> torch.Size:
        return self._shape

    def whole(self) -> Tensor:
        """Compute the square matrix (n, n), of which `shape` may be a part."""
        pairs = zip(self.g(), self.h(), strict=True)
        return sum(f_circulant(g, 1) @ f_circulant(h, -1) for g, h in pairs) / 2

    def forward(self) -> Tensor:
        return self.whole()[: self.shape[0], : self.shape[1]]

    def spectra(self) -> tuple[Tensor, ...]:
        g, h = self.g(), self.h()
        return torch.fft.rfft(g) / 2, torch.fft.rfft(h, 2 * g.shape[1])

    def multiply(self, x: Tensor, g: Tensor, h: Tensor) -> Tensor:
        n = max(self.shape)

        def product(part: Tensor) -> Tensor:
            # A product with Z_-1 is a convolution whose second half comes back with another sign.
            y = torch.fft.irfft(torch.fft.rfft(part, 2 * n)[:, None] * h, 2 * n)  # picture, rank, 2 n
            y = torch.fft.rfft(y[..., :n] - y[..., n:])
            return torch.fft.irfft((y * g).sum(1), n)[:, : self.shape[0]]

        return in_parts(product, x, each=2 * n * len(g))

    def macs(self) -> int:
        rank, n = self.g.shape
        transforms = (1 + rank) * fft_macs(2 * n) + (1 + rank) * fft_macs(n)
        return transforms + 4 * rank * (n + 1) + 4 * rank * (n // 2 + 1)
