"""Circulant projections: a matrix of d numbers, multiplied by FFT behind random signs (Cheng 2015).

    W = circ(c) D:   every column is the one before it, moved down by one, and D flips the sign of half the inputs.

The least-squares fit to a matrix V has a closed form, since each number c_m stands on one wrapped diagonal alone:

    minimise  sum_ij (V_ij - c_{(i - j) mod d} D_j)^2:   c_m = mean of V_ij D_j over i - j = m modulo d.

With k outputs for d inputs, k < d keeps the first k rows, and k > d takes k / d circulants below each other.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.structured.layerwise import Layerwise
from labkit.weights import Circulant as CirculantWeight
from labkit.weights.circulant import signs


def nearest_columns(matrix: Tensor, b: int) -> Tensor:
    """Return the first columns (p, q, b) of the circulant blocks of b x b nearest to a matrix (out, in).

    p is out / b and q is in / b, rounded up. Only entries of the matrix count, not what blocks have beyond it.

    >>> nearest_columns(torch.tensor([[1.0, 3.0], [5.0, 7.0]]), 2).tolist()
    [[[4.0, 4.0]]]
    """
    inside = torch.ones_like(matrix)
    sums, counts = (_diagonal_sums(blocks(one.double(), b)) for one in (matrix, inside))
    return (sums / counts.clamp(min=1)).to(matrix.dtype)


def blocks(matrix: Tensor, b: int) -> Tensor:
    """Cut a matrix (out, in) into blocks (p, q, b, b), with zeros beyond it."""
    out, in_ = matrix.shape
    matrix = F.pad(matrix, (0, -in_ % b, 0, -out % b))
    return matrix.unflatten(0, (-1, b)).unflatten(2, (-1, b)).transpose(1, 2)


def _diagonal_sums(squares: Tensor) -> Tensor:
    """Add up the wrapped diagonals: (…, b, b) becomes (…, b)."""
    b = squares.shape[-1]
    place = ((torch.arange(b)[:, None] - torch.arange(b)) % b).flatten()
    flat = squares.flatten(-2)
    return torch.zeros(*flat.shape[:-1], b, dtype=flat.dtype).scatter_add_(-1, place.expand_as(flat), flat)


class Circulant(Layerwise):
    """Circulant matrices with random signs, from the largest layer on.

    >>> from labkit import zoo
    >>> small = Circulant().prepare(zoo.load("LeNet-300-100")).at(1)
    >>> tuple(small.fc1.weight.columns.shape), type(small.fc2.weight).__name__
    ((1, 784), 'Dense')
    """

    title = "Circulant"
    idea = "Every row is the one above it, moved by one place, and a fast Fourier transform multiplies by all of them."
    equation = r"W = \mathrm{circ}(c)\, D, \quad W x = \mathcal F^{-1}\big(\mathcal F c \odot \mathcal F (D x)\big)"
    stores = "d numbers for up to d outputs, and a seed for the signs"
    drawback = "A row cannot differ from its neighbour but by place, whatever the task needs."
    paper = "cheng2015"

    def nearest(self, matrix: Tensor, value: float, seed: int) -> CirculantWeight:
        out, d = matrix.shape
        return CirculantWeight(nearest_columns(matrix * signs(seed, d), d)[:, 0], seed, (out, d))

    def draw(self, shape: tuple[int, int], value: float, std: float, generator: torch.Generator) -> CirculantWeight:
        out, d = shape
        columns = std * torch.randn(math.ceil(out / d), d, generator=generator)
        return CirculantWeight(columns, generator.initial_seed(), shape)
