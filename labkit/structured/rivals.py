"""What a structure is compared with: other layers of as many numbers, 2 n r, as displacement rank r takes.

    low rank        W = u v, both trained, of rank 2 n r / (out + in): r for a square matrix
    random sparse   2 n r numbers at positions drawn at random, and zeros elsewhere
    fewer neurons   a dense network of as many numbers in all, made smaller from the beginning

The file of a sparse layer holds the positions too, so at equal numbers it is the largest of them.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from labkit.data import Data
from labkit.methods import Curve, Knob, Method, Picture, sound_leaves
from labkit.narrower import chain, narrower
from labkit.replacing import ReplacingFit, stored
from labkit.structured.base import Structured
from labkit.structured.picture import matrix_picture
from labkit.structured.toeplitzlike import RANKS, ToeplitzLike, paying
from labkit.weights import LowRank as LowRankWeight
from labkit.weights import Sparse

KNOB = Knob("rank", "numbers of displacement rank", RANKS, 8)


def budget(shape: tuple[int, ...], rank: float) -> int:
    """Return how many numbers displacement rank r takes: 2 n r, n the larger side.

    >>> budget((300, 784), 2)
    3136
    """
    return int(2 * max(shape) * rank)


class Rival(Structured):
    """A layer with as many numbers as a Toeplitz-like one."""

    knob = KNOB

    def knob_for(self, fits: dict[str, ReplacingFit]) -> Knob:
        """The ranks that pay in at least one layer."""
        return paying(self.knob, fits)


class LowRank(Rival):
    """Two thin factors, both trained."""

    title = "Low rank, both factors trained"
    idea = "Two thin matrices of as many numbers. The layer's outputs lie in a space of few dimensions."
    equation = r"W = U V, \quad \mathrm{rank} = 2 n r / (m + n)"
    stores = "two thin matrices"
    drawback = "At few numbers the rank is low, and all that a layer sees are a few projections."
    paper = "denton2014"

    def nearest(self, matrix: Tensor, value: float, seed: int) -> LowRankWeight:
        rank = self._rank(tuple(matrix.shape), value)
        u, s, v = torch.linalg.svd(matrix, full_matrices=False)
        root = s[:rank].sqrt()
        return LowRankWeight(u[:, :rank] * root, root[:, None] * v[:rank], tuple(matrix.shape))

    def draw(self, shape, value: float, std: float, generator: torch.Generator) -> LowRankWeight:
        rank = self._rank(shape, value)
        size = (std**2 / rank) ** 0.25  # an entry is the sum of r products
        u = size * torch.randn(shape[0], rank, generator=generator)
        return LowRankWeight(u, size * torch.randn(rank, shape[1], generator=generator), shape)

    @staticmethod
    def _rank(shape: tuple[int, int], value: float) -> int:
        return min(max(1, round(budget(shape, value) / sum(shape))), min(shape))


class RandomSparse(Rival):
    """As many entries of the matrix, at positions drawn at random."""

    title = "Random sparse"
    idea = "Chance decides which entries a matrix has, and only these are trained."
    equation = r"W = M \odot V, \quad \textstyle\sum M = 2 n r"
    stores = "the entries and their positions"
    drawback = "The positions take bytes, and a row has few entries: each output sees few inputs."
    paper = "chen2015"

    def nearest(self, matrix: Tensor, value: float, seed: int) -> Sparse:
        positions = self._positions(tuple(matrix.shape), value, torch.Generator().manual_seed(seed))
        return Sparse(positions, matrix.flatten()[positions], tuple(matrix.shape))

    def draw(self, shape, value: float, std: float, generator: torch.Generator) -> Sparse:
        positions = self._positions(shape, value, generator)
        size = std * (shape[0] * shape[1] / len(positions)) ** 0.5
        return Sparse(positions, size * torch.randn(len(positions), generator=generator), shape)

    @staticmethod
    def _positions(shape: tuple[int, int], value: float, generator: torch.Generator) -> Tensor:
        numbers = shape[0] * shape[1]
        return torch.randperm(numbers, generator=generator)[: min(budget(shape, value), numbers)].sort().values


class NarrowerCurve(Curve):
    """Small untrained networks, of as many numbers as a network with Toeplitz-like layers has."""

    def __init__(self, method: Method, model: nn.Module, like: Curve, seed: int):
        super().__init__(method, model, replace(KNOB, values=like.knob.values, start=like.knob.start))
        chain(model)  # refuse another network now
        self.like, self.seed = like, seed

    def at(self, value: float) -> nn.Module:
        self.knob.check(value)
        return narrower(self.model, stored(self.like.at(value)), self.seed)

    def picture(self, value: float, layer: str) -> Picture:
        found = chain(self.at(value))
        if layer not in found:
            raise ValueError(f"layer {layer!r} does not exist: choose one of {', '.join(found)}")
        weight = found[layer].weight().detach()
        return matrix_picture(layer, weight, f"{len(weight)} neurons", "before training")


class Narrower(Method):
    """A dense network with fewer hidden neurons, trained from scratch, of as many numbers in all."""

    title = "Fewer neurons"
    idea = "A network that is small from the beginning stores as many numbers, and its layers obey no rule."
    equation = r"m' \text{ hidden neurons}: \quad m' (n + c + 1) + c \approx 2 n r + c\,m + m + c"
    stores = "the weights of a small dense network"
    drawback = "It begins from nothing, and few neurons are all it has."
    paper = "chen2015"
    knob = KNOB
    recipe = Structured.recipe

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> NarrowerCurve:
        if where is not None:
            raise ValueError(f"where is {where!r}, but a narrower layer changes its neighbours: leave where out")
        sound_leaves(model)
        return NarrowerCurve(self, model, ToeplitzLike("random").prepare(model), int(torch.randint(2**31, ())))
