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

from labkit.structured.layerwise import Layerwise
from labkit.weights import Circulant as CirculantWeight
from labkit.weights.circulant import signs


def diagonal_means(blocks: Tensor) -> Tensor:
    """Return the nearest circulants' first columns: (…, rows, d) becomes (…, d), the means over wrapped diagonals.

    A wrapped diagonal without a row in the matrix has mean 0. Rows are at most d.

    >>> diagonal_means(torch.tensor([[1.0, 3.0], [5.0, 7.0]])).tolist()
    [4.0, 4.0]
    """
    rows, d = blocks.shape[-2:]
    steps = torch.arange(d)
    place = (torch.arange(rows)[:, None] - steps) % d
    sums = torch.zeros(*blocks.shape[:-2], d, dtype=torch.float64)
    sums.scatter_add_(-1, place.flatten().expand(*blocks.shape[:-2], -1), blocks.double().flatten(-2))
    return (sums / torch.bincount(place.flatten(), minlength=d).clamp(min=1)).to(blocks.dtype)


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
        flipped = matrix * signs(seed, d)
        columns = torch.stack([diagonal_means(block) for block in flipped.split(d)])
        return CirculantWeight(columns, seed, (out, d))

    def draw(self, shape: tuple[int, int], value: float, std: float, generator: torch.Generator) -> CirculantWeight:
        out, d = shape
        columns = std * torch.randn(math.ceil(out / d), d, generator=generator)
        return CirculantWeight(columns, generator.initial_seed(), shape)
