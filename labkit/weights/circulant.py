"""Matrices of circulant blocks, each stored as its first column and multiplied by FFT: Cheng 2015."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.weights.base import Weight, as_weight
from labkit.weights.hashed import chance, check_seed
from labkit.weights.spectra import Spectral, fft_macs


def circulant(column: Tensor, rows: int | None = None, columns: int | None = None) -> Tensor:
    """Write out circulant matrices from their first columns: (…, b) becomes (…, b, b), C[i, j] = c[(i - j) mod b].

    `rows` and `columns`, if they are given, say how many of each are written.

    >>> circulant(torch.tensor([1, 2, 3])).tolist()
    [[1, 3, 2], [2, 1, 3], [3, 2, 1]]
    """
    b = column.shape[-1]
    i, j = (torch.arange(b if count is None else count, device=column.device) for count in (rows, columns))
    return column[..., (i[:, None] - j) % b]


def signs(seed: int, count: int) -> Tensor:
    """Draw the signs of D, -1 or 1 in float32 (count,), which a seed decides on every machine.

    >>> signs(seed=0, count=6).tolist()
    [1.0, -1.0, -1.0, 1.0, -1.0, -1.0]
    """
    return torch.from_numpy(1 - 2 * (chance(seed, count) & 1).astype("float32"))


class BlockCirculant(Spectral):
    """A matrix of p x q circulant blocks of b x b: W_jk = circ(c_jk), n^2 / b numbers for n^2.

        y_j = sum_k IFFT( FFT(c_jk) * FFT(x_k) ),   (p + q) FFTs of b numbers for a picture

    `columns` (p, q, b), a tensor or a Weight, holds the first columns. p b is `out` rounded up, q b `in`; what
    reaches beyond `shape` (out, in) is cut off. Raises ValueError for columns that do not make `shape` (Ding 2017).

    >>> BlockCirculant(torch.tensor([[[1.0, 2.0]], [[5.0, 6.0]]]), (3, 2))().tolist()
    [[1.0, 2.0], [2.0, 1.0], [5.0, 6.0]]
    """

    inner = ("columns",)

    def __init__(self, columns: Weight | Tensor, shape: tuple[int, ...]):
        super().__init__()
        self.columns, self._shape = as_weight(columns), torch.Size(shape)
        sides = tuple(self.columns.shape)
        if len(shape) != 2 or len(sides) != 3 or min(sides) < 1 or sides[:2] != _blocks(shape, sides[2]):
            raise ValueError(
                f"columns {sides} make no matrix of shape {tuple(shape)}: they must be (out / b, in / b, b), rounded up"
            )

    @property
    def shape(self) -> torch.Size:
        return self._shape

    @property
    def block(self) -> int:
        """The side b of a block."""
        return self.columns.shape[2]

    def forward(self) -> Tensor:
        out, in_ = self.shape
        blocks = circulant(self.columns(), min(self.block, out), min(self.block, in_))  # p, q, rows, columns
        return blocks.transpose(1, 2).flatten(2).flatten(0, 1)[:out, :in_]

    def spectra(self) -> tuple[Tensor, ...]:
        return (torch.fft.rfft(self.columns()).permute(2, 1, 0),)  # frequency, q, p

    def multiply(self, x: Tensor, spectrum: Tensor) -> Tensor:
        _, q, b = self.columns.shape
        x = F.pad(x, (0, q * b - x.shape[1])).view(len(x), q, b)
        y = torch.fft.rfft(x).permute(2, 0, 1) @ spectrum  # frequency, picture, p
        return torch.fft.irfft(y.permute(1, 2, 0), b).flatten(1)[:, : self.shape[0]]

    def macs(self) -> int:
        p, q, b = self.columns.shape
        return (p + q) * fft_macs(b) + 4 * p * q * (b // 2 + 1)


class Circulant(Spectral):
    """Circulant matrices below each other, behind random signs: W = [circ(c_1); circ(c_2); ...] D.

        y_j = IFFT( FFT(c_j) * FFT(D x) ),   O(d log d) time and d numbers for d outputs

    `columns` (blocks, d) holds the first columns, d the number of inputs; with k outputs there are k / d blocks,
    rounded up, of which the first k rows are kept. The signs of D come from the seed and take no bytes. Without
    them, every row would see nearly the same sum of the inputs. Raises ValueError for columns that do not make
    `shape` (out, in), and for a seed that is not from 0 to 2^63 - 1 (Cheng 2015).

    >>> Circulant(torch.tensor([[1.0, 2.0, 3.0]]), 0, (2, 3))().tolist()
    [[1.0, -3.0, -2.0], [2.0, -1.0, -3.0]]
    """

    inner = ("columns",)

    def __init__(self, columns: Weight | Tensor, seed: int, shape: tuple[int, ...]):
        super().__init__()
        self.columns, self.seed, self._shape = as_weight(columns), check_seed(seed), torch.Size(shape)
        sides = tuple(self.columns.shape)
        if len(shape) != 2 or len(sides) != 2 or min(sides) < 1 or sides != _blocks(shape, shape[1])[:1] + shape[1:]:
            raise ValueError(
                f"columns {sides} make no matrix of shape {tuple(shape)}: they must be (out / in rounded up, in)"
            )
        # Not a buffer: it follows from the seed, so no file holds it and nobody counts it as stored.
        self._signs: Tensor | None = None

    @property
    def shape(self) -> torch.Size:
        return self._shape

    def signs(self, device: torch.device | str = "cpu") -> Tensor:
        """Return the signs of D, drawn when they are first asked for."""
        if self._signs is None or self._signs.device != torch.device(device):
            with torch.inference_mode(False):  # it may first be asked for by an evaluation, then by training
                self._signs = signs(self.seed, self.shape[1]).to(device)
        return self._signs

    def forward(self) -> Tensor:
        columns = self.columns()
        blocks = circulant(columns, min(self.shape)) if len(columns) == 1 else circulant(columns)
        return blocks.flatten(0, 1)[: self.shape[0]] * self.signs(columns.device)

    def spectra(self) -> tuple[Tensor, ...]:
        return (torch.fft.rfft(self.columns()),)

    def multiply(self, x: Tensor, spectrum: Tensor) -> Tensor:
        d = self.shape[1]
        y = torch.fft.rfft(x * self.signs(x.device))[:, None] * spectrum  # picture, block, frequency
        return torch.fft.irfft(y, d).flatten(1)[:, : self.shape[0]]

    def macs(self) -> int:
        blocks, d = self.columns.shape
        return (1 + blocks) * fft_macs(d) + 4 * blocks * (d // 2 + 1)


def _blocks(shape: tuple[int, ...], b: int) -> tuple[int, int]:
    """Say how many blocks of b x b cover a matrix, downwards and across."""
    return math.ceil(shape[0] / b), math.ceil(shape[1] / b)
