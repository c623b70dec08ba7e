"""Tensor train: a matrix whose rows and columns are counted in digits, as a train of small cores (Novikov 2015).

A matrix W (m, n) with m = m1 m2 m3 and n = n1 n2 n3 has rows o = (o1, o2, o3) and columns i = (i1, i2, i3), like a
number its digits. With the digits in pairs it is a tensor of three modes, and is written as

    W[o, i] ~ sum over a, b of  first[o1, i1, a] second[a, o2, i2, b] third[b, o3, i3],

m1 n1 r + r m2 n2 r + r m3 n3 numbers at rank r. TT-SVD (Oseledets 2011) finds the cores from the left: the truncated
SVD of the matrix (o1 i1, all others) gives the first; what is left, S V', is laid out as a matrix (a o2 i2, o3 i3), and
its truncated SVD gives the other two. The squared error is the sum of the squared singular values cut off, and at
most twice that of the best cores of these ranks. The first SVD serves all ranks; the second is a small one at each.

A convolution is the matrix (out, in * height * width), and 1 x 1 ones and fully connected layers are themselves.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from labkit.lowrank.spectrum import energy, spectrum
from labkit.lowrank.svd import SVD, svd
from labkit.methods import Picture, numbers
from labkit.weights import TensorTrain as TensorTrainWeight
from labkit.weights import Weight

CORES = 3
Cores = tuple[Tensor, Tensor, Tensor]


def modes(n: int, d: int) -> tuple[int, ...]:
    """Write n as a product of d whole numbers that are as equal as can be (the least sum), in rising order.

    A prime leaves ones. Raises ValueError for numbers below 1.

    >>> modes(784, 3), modes(7, 3)
    ((7, 8, 14), (1, 1, 7))
    """
    if n < 1 or d < 1:
        raise ValueError(f"{n} cannot be written as a product of {d} whole numbers: both must be at least 1")
    divisors = [divisor for divisor in range(1, n + 1) if n % divisor == 0]
    products = itertools.combinations_with_replacement(divisors, d)
    return min((found for found in products if math.prod(found) == n), key=sum)


def alike(cores: Cores) -> Cores:
    """Scale cores so that their numbers are of one size, and train and round alike; their product stays.

    >>> [core.item() for core in alike((torch.tensor([8.0]), torch.tensor([1.0]), torch.tensor([1.0])))]
    [2.0, 2.0, 2.0]
    """
    sizes = [core.square().mean().sqrt() for core in cores]
    each = math.prod(sizes) ** (1 / CORES)
    return tuple(core * (each / size.clamp_min(1e-30)) for core, size in zip(cores, sizes, strict=True))


@dataclass
class TrainFit:
    """One matrix as a tensor of three modes, and the SVD of its first unfolding: u diag(s) v."""

    u: Tensor
    s: Tensor
    v: Tensor
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    shape: torch.Size

    @property
    def sides(self) -> tuple[int, ...]:
        """The sides of the tensor: how many pairs of digits each of its modes has."""
        return tuple(row * column for row, column in zip(self.rows, self.columns, strict=True))

    @property
    def full(self) -> tuple[int, int]:
        """The ranks with which nothing is lost."""
        first, second, third = self.sides
        return min(first, second * third), min(first * second, third)

    def ranks(self, rank: int) -> tuple[int, int]:
        """Return the two ranks of the train: the one that is asked for, but no more than there is."""
        first = min(rank, self.full[0])
        return first, min(rank, self.full[1], first * self.sides[1])

    def count(self, rank: int) -> int:
        """Count the numbers that the cores take at a rank."""
        (first, second, third), (a, b) = self.sides, self.ranks(rank)
        return first * a + a * second * b + b * third

    @property
    def top(self) -> int:
        """The largest rank that pays."""
        ranks = range(1, max(self.full) + 1)
        return max((rank for rank in ranks if self.count(rank) < self.shape.numel()), default=0)

    def cores(self, rank: int) -> Cores:
        """Return the cores of a rank, each (rank before, rows, columns, rank after), by TT-SVD."""
        a, b = self.ranks(rank)
        left = (self.s[:a, None] * self.v[:a]).reshape(a * self.sides[1], self.sides[2])  # what the first core leaves
        u, s, v = svd(left)
        parts = self.u[:, :a], u[:, :b], s[:b, None] * v[:b]
        around = zip((1, a, b), self.rows, self.columns, (a, b, 1), strict=True)
        return tuple(part.reshape(sides) for part, sides in zip(parts, around, strict=True))

    def energy(self, rank: int) -> float:
        """Return the share of the squared norm that is kept: the other cores are orthonormal, the last has it all."""
        return float(self.cores(rank)[-1].double().square().sum() / self.s.double().square().sum().clamp_min(1e-300))

    def at(self, rank: int) -> TensorTrainWeight | None:
        """Cut to a rank, with numbers of the same size in all cores; None where it does not pay."""
        if rank > self.top:
            return None
        return TensorTrainWeight(*alike(self.cores(rank)), tuple(self.shape))

    def picture(self, rank: int, name: str) -> Picture:
        """The spectrum of the first unfolding with its cut, and the energy that both cuts together keep."""
        if rank > self.top:
            return spectrum(self.s, rank, name, pays=False)
        first = spectrum(self.s, self.ranks(rank)[0], name)
        alone = f"the first cut alone: {100 * energy(self.s, self.ranks(rank)[0]):.1f} %"
        title = f"{name}: TT-rank {rank} keeps {100 * self.energy(rank):.1f} % of the energy ({alone})"
        return replace(first, title=title, text=first.text.replace(first.title, title))


class TensorTrain(SVD):
    """Each matrix, and each convolution as a matrix (out, in * height * width), as a train of three cores.

    >>> from labkit import zoo
    >>> small = TensorTrain().prepare(zoo.load("LeNet-300-100"), where="fc1").at(8)
    >>> [tuple(core.shape) for core in small.fc1.weight.cores]
    [(1, 5, 7, 8), (8, 6, 8, 8), (8, 10, 14, 1)]
    """

    title = "Tensor train"
    idea = (
        "Rows and columns are counted in digits, and each pair of digits gets a small core. The cores multiply to the "
        "matrix."
    )
    equation = (
        r"W_{oi} \approx \sum_{a,b} g_{o_1 i_1 a}\, h_{a o_2 i_2 b}\, k_{b o_3 i_3}, \quad "
        r"r\,(m_1 n_1 + r\, m_2 n_2 + m_3 n_3) \text{ numbers for } mn"
    )
    stores = "three cores for each layer"
    drawback = "Few numbers, yet many multiplications: from a low rank on, the cores take more than the matrix does."
    paper = "novikov2015"
    slices = False

    def fit(self, leaf: Weight) -> TrainFit:
        values = numbers(leaf).cpu()
        rows, columns = modes(len(values), CORES), modes(values[0].numel(), CORES)
        digits = values.reshape(*rows, *columns).permute(0, 3, 1, 4, 2, 5)  # o1 i1 o2 i2 o3 i3
        return TrainFit(*svd(digits.reshape(rows[0] * columns[0], -1)), rows, columns, values.shape)
