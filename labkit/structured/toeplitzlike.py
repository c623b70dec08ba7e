"""Toeplitz-like matrices: those that hardly change when they are shifted, of displacement rank r (Sindhwani 2015).

    Z_1 M - M Z_-1 = sum_{i <= r} g_i (J h_i)',   M = 1/2 sum_{i <= r} Z_1(g_i) Z_-1(h_i),   2 r n numbers for n^2

r = 1 has all circulants, r = 2 all Toeplitz matrices and their inverses, r = n everything: a dial between them.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from labkit.methods import Knob
from labkit.replacing import ReplacingFit
from labkit.structured.base import Structured
from labkit.structured.displacement import nearest
from labkit.weights import ToeplitzLike as ToeplitzLikeWeight

RANKS = (1, 2, 3, 4, 6, 8, 12, 16)
ROUNDS = 10  # of alternating least squares; later ones win little, and the slider waits


class ToeplitzLike(Structured):
    """Each matrix with a displacement of rank r.

    >>> from labkit import zoo
    >>> small = ToeplitzLike().prepare(zoo.load("LeNet-300-100")).at(2)
    >>> tuple(small.fc1.weight.g.shape), tuple(small.fc2.weight.g.shape)
    ((2, 784), (2, 300))
    """

    title = "Toeplitz-like"
    idea = "Shift the matrix down and right by one, subtract, and only a matrix of low rank is left: that is stored."
    equation = (
        r"Z_1 M - M Z_{-1} = \sum_{i=1}^{r} g_i (J h_i)^T, \quad M = \tfrac12 \sum_{i=1}^{r} Z_1(g_i) Z_{-1}(h_i)"
    )
    stores = "2 r vectors as long as the larger side of the matrix"
    drawback = "A product takes 2 r + 2 FFTs, and nothing says which displacement suits a task."
    paper = "sindhwani2015"
    recipe = replace(Structured.recipe, learning_rate=0.0005)  # a number of g or h acts on n entries, r at once
    knob = Knob("displacement rank", "displacement rank", RANKS, 8)

    def nearest(self, matrix: Tensor, value: float, seed: int) -> ToeplitzLikeWeight:
        g, h = nearest(matrix, int(value), ROUNDS)
        even = (h.norm() / g.norm().clamp_min(1e-30)).sqrt()  # both of one size: they train and round alike
        return ToeplitzLikeWeight((g * even).float(), (h / even.clamp_min(1e-30)).float(), tuple(matrix.shape))

    def draw(self, shape, value: float, std: float, generator: torch.Generator) -> ToeplitzLikeWeight:
        rank, n = int(value), max(shape)
        size = (4 * std**2 / (rank * n)) ** 0.25  # an entry is 1/2 the sum of r n products
        g, h = size * torch.randn(2, rank, n, generator=generator)
        return ToeplitzLikeWeight(g, h, shape)

    def knob_for(self, fits: dict[str, ReplacingFit]) -> Knob:
        """The ranks that pay in at least one layer."""
        return paying(self.knob, fits)


def paying(knob: Knob, fits: dict[str, ReplacingFit]) -> Knob:
    """Return a knob with those of the displacement ranks at which 2 n r numbers are fewer than a matrix has."""
    most = max((min(fit.values.shape) / 2 for fit in fits.values()), default=1)
    ranks = tuple(rank for rank in RANKS if rank < most) or RANKS[:1]
    return replace(knob, values=ranks, start=min(knob.start, ranks[-1]))
