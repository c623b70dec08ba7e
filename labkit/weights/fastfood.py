"""A product of diagonals, Hadamard transforms and a permutation: Yang 2015."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.weights.base import Weight, as_weight, in_parts
from labkit.weights.hashed import chance, check_seed


@functools.lru_cache(maxsize=16)
@torch.inference_mode(False)
def hadamard(d: int) -> Tensor:
    """Return the Walsh-Hadamard matrix H (d, d), d a power of two; H H = d I.

    >>> hadamard(4).int().tolist()
    [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]
    """
    if d < 1 or d & (d - 1):
        raise ValueError(f"d is {d}, but a Hadamard matrix has a power of two rows: 1, 2, 4, ...")
    matrix = torch.ones(1, 1)
    while len(matrix) < d:
        matrix = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), matrix)
    return matrix


def transform(x: Tensor) -> Tensor:
    """Multiply by the Walsh-Hadamard matrix H / sqrt(d): x (…, d), d a power of two, becomes (…, d).

    H of d = a c numbers is the Kronecker product of the small ones: x as a matrix (a, c) becomes H_a x H_c. That
    takes d (a + c) operations and not the d log2 d of butterflies, but two products of matrices run far faster
    than log2 d passes over the memory.

    >>> transform(torch.tensor([1.0, 0.0, 0.0, 0.0])).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    d = x.shape[-1]
    a, c = _sides(d)
    square = x.reshape(*x.shape[:-1], a, c)
    return (hadamard(a).to(x) @ square @ hadamard(c).to(x)).reshape(x.shape) / math.sqrt(d)


def orders(seed: int, blocks: int, d: int) -> Tensor:
    """Draw the permutations of all blocks, int64 (blocks, d), which a seed decides on every machine."""
    drawn = chance(seed, blocks * d).reshape(blocks, d)
    return torch.from_numpy(np.argsort(drawn, axis=1, kind="stable"))


class Fastfood(Weight):
    """Adaptive Fastfood: W = S H G P H B, three trained diagonals of d numbers for d^2 (Yang 2015).

    H is the Walsh-Hadamard matrix over sqrt(d), P a permutation that the seed draws once and that takes no bytes;
    the diagonals S, G and B are learned, each (blocks, d), a tensor or a Weight. d is the number of inputs
    rounded up to a power of two, the inputs are filled up with zeros, and blocks are laid below each other until there
    are as many rows as outputs. Raises ValueError for diagonals that do not make `shape` (out, in), and for a seed
    that is not from 0 to 2^63 - 1.

    >>> ones = torch.ones(1, 4)
    >>> matrix = Fastfood(ones, ones, ones, seed=0, shape=(4, 3))()  # H P H, three columns of it
    >>> torch.allclose(matrix.T @ matrix, torch.eye(3))
    True
    """

    inner = ("s", "g", "b")

    def __init__(self, s: Weight | Tensor, g: Weight | Tensor, b: Weight | Tensor, seed: int, shape: tuple[int, ...]):
        super().__init__()
        self.s, self.g, self.b = as_weight(s), as_weight(g), as_weight(b)
        self.seed, self._shape = check_seed(seed), torch.Size(shape)
        sides = {tuple(diagonal.shape) for diagonal in (self.s, self.g, self.b)}
        if len(shape) != 2 or min(shape) < 1 or sides != {diagonals(*shape)}:
            raise ValueError(
                f"s, g and b have the shapes {sorted(sides)}, but must all be (blocks, d), d the inputs of "
                f"{tuple(shape)} rounded up to a power of two"
            )
        # Not a buffer: it follows from the seed, so no file holds it and nobody counts it as stored.
        self._order: Tensor | None = None

    @property
    def shape(self) -> torch.Size:
        return self._shape

    def order(self, device: torch.device | str = "cpu") -> Tensor:
        """Return the permutations (blocks, d), drawn when they are first asked for."""
        if self._order is None or self._order.device != torch.device(device):
            with torch.inference_mode(False):  # it may first be asked for by an evaluation, then by training
                self._order = orders(self.seed, *self.g.shape).to(device)
        return self._order

    def forward(self) -> Tensor:
        """Compute the rows of the matrix, each from a row of H: ((H_row G) P H) B, times its number of S."""
        s, g, b = self.s(), self.g(), self.b()
        d = g.shape[1]
        rows = transform(torch.eye(min(self.shape[0], d), d, device=g.device, dtype=g.dtype)) * g[:, None]
        moved = torch.zeros_like(rows).scatter(2, self.order(g.device)[:, None].expand_as(rows), rows)
        whole = s[:, : rows.shape[1], None] * transform(moved) * b[:, None]
        return whole.flatten(0, 1)[: self.shape[0], : self.shape[1]]

    def linear(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        s, g, b = self.s(), self.g(), self.b()
        order = self.order(x.device)

        def product(part: Tensor) -> Tensor:
            part = F.pad(part, (0, g.shape[1] - part.shape[1]))[:, None]
            y = transform(part * b)  # picture, block, d
            y = transform(y.gather(2, order.expand(len(y), -1, -1)) * g) * s
            return y.flatten(1)[:, : self.shape[0]]

        y = in_parts(product, x.reshape(-1, x.shape[-1]), g.numel()).reshape(*x.shape[:-1], self.shape[0])
        return y if bias is None else y + bias

    def macs(self) -> int:
        """Count the operations of `linear`, the additions of H among them."""
        blocks, d = self.g.shape
        return blocks * (3 * d + 2 * d * sum(_sides(d)))


def diagonals(out: int, in_: int) -> tuple[int, int]:
    """Return the shape (blocks, d) of the diagonals for a matrix (out, in).

    >>> diagonals(300, 784), diagonals(1000, 100)
    ((1, 1024), (8, 128))
    """
    d = 1 << (in_ - 1).bit_length()
    return math.ceil(out / d), d


def _sides(d: int) -> tuple[int, int]:
    """Write a power of two as a product of two, as equal as can be."""
    half = d.bit_length() // 2
    return 1 << half, d >> half
