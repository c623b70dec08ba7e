"""Pruning by a score: the weights with the lowest scores become zero, and only the others are stored.

    keep w_i  where  rank(score_i) >= s n,   s the sparsity, n how many weights share one threshold.

What differs between the criteria is the score alone. The threshold is one for the whole network, or one for
each layer with the same sparsity in each. One sort serves every sparsity. Equal scores fall in their order,
so that each sparsity is met to the exact count.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from labkit.data import Data
from labkit.methods import Knob, LeafCurve, Method, Picture, numbers, sound_leaves
from labkit.weights import Sparse, Weight

SPARSITIES = (
    0,
    0.1,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.75,
    0.8,
    0.85,
    0.9,
    0.92,
    0.94,
    0.95,
    0.96,
    0.97,
    0.98,
    0.99,
    0.995,
    0.999,
)


def rank(scores: Tensor) -> Tensor:
    """Number the scores from the lowest, 0, to the highest, n - 1; equal ones in their order.

    >>> rank(torch.tensor([0.3, 0.1, 0.2, 0.1])).tolist()
    [3, 0, 2, 1]
    """
    order = np.argsort(scores.numpy(), kind="stable")
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return torch.from_numpy(ranks)


@dataclass
class RankedFit:
    """One weight and the rank of each of its numbers among the `ranked` ones that share a threshold."""

    leaf: Weight
    scores: Tensor
    ranks: Tensor
    ranked: int

    @functools.cached_property
    def values(self) -> Tensor:
        """The numbers of the weight in flat order."""
        return numbers(self.leaf).cpu().flatten()

    def at(self, sparsity: float) -> Weight | None:
        """Keep what is above the threshold; None at sparsity 0."""
        if sparsity == 0:
            return None
        positions = torch.nonzero(self.kept(sparsity)).flatten()
        return Sparse(positions, self.leaf.take(positions), tuple(self.leaf.shape))

    def kept(self, sparsity: float) -> Tensor:
        """Say for each number, in flat order, whether it stays."""
        return self.ranks >= round(sparsity * self.ranked)

    @functools.cached_property
    def histogram(self) -> tuple[np.ndarray, np.ndarray]:
        """All weights in 100 bins, the same for every sparsity."""
        return np.histogram(self.values.numpy(), bins=100)

    def picture(self, sparsity: float, name: str) -> Picture:
        """The histogram of the weights that stay; marked is the largest that is cut, on both sides of zero."""
        kept = self.kept(sparsity)
        _, edges = self.histogram
        counts, _ = np.histogram(self.values[kept].numpy(), bins=edges)
        cut = largest(self.values[~kept])
        title = share_of_zeros(name, kept)
        text = (
            f"Histogram of the {int(kept.sum())} of {len(kept)} weights of {name} that stay. "
            f"Those that are cut reach up to {cut:.3g} in magnitude. {title}."
        )
        return survivors(name, (counts, edges), np.array([-cut, cut]), title, text)


def survivors(name: str, bins: tuple[np.ndarray, np.ndarray], marks: np.ndarray, title: str, text: str) -> Picture:
    """Return the histogram, as counts and edges, of the weights that stay in a layer, with marks on its axis."""
    counts, edges = bins
    return Picture("histogram", title, f"weight of {name}", "how many weights stay", counts, text, edges, marks)


def share_of_zeros(name: str, kept: Tensor) -> str:
    """Say how much of a layer is zero.

    >>> share_of_zeros("fc1", torch.tensor([True, False]))
    'fc1: 50.0 % of the weights are zero'
    """
    return f"{name}: {100 * (1 - float(kept.float().mean())):.1f} % of the weights are zero"


def largest(values: Tensor) -> float:
    """Return the largest magnitude, 0 where there is no number."""
    return float(values.abs().max()) if len(values) else 0.0


class Ranked(Method):
    """A pruning method that only says how it scores the weights.

    A subclass defines `scores`, fills the card, and may choose another `scope`: "network" (one threshold)
    or "layer" (the same sparsity in each). `prepare` raises ValueError for scores that are NaN or infinite.

    >>> class Largest(Ranked):
    ...     def scores(self, leaves, model, data):
    ...         return {path: numbers(leaf) for path, leaf in leaves.items()}
    >>> from labkit import adopt
    >>> network = adopt(nn.Linear(5, 2, bias=False))
    >>> int((Largest().prepare(network).at(0.9).weight() != 0).sum())
    1
    """

    knob = Knob("sparsity", "sparsity: share of zero weights", SPARSITIES, 0, percent=True)
    scope: str = "network"
    fit: ClassVar[type[RankedFit]] = RankedFit

    def scores(self, leaves: dict[str, Weight], model: nn.Module, data: Data | None) -> dict[str, Tensor]:
        """Return a score for each number of each leaf, in the leaf's shape: the higher, the longer it is kept."""
        raise NotImplementedError(f"{type(self).__name__} must say how it scores a weight")

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> LeafCurve:
        leaves = sound_leaves(model, where)
        scores = {path: score.detach().cpu().flatten() for path, score in self.scores(leaves, model, data).items()}
        for path, score in scores.items():
            if not bool(torch.isfinite(score).all()):
                raise ValueError(f"the scores of {path} are NaN or infinite: the network or its data must be damaged")
        return LeafCurve(self, model, self.knob, self.fits(leaves, scores))

    def fits(self, leaves: dict[str, Weight], scores: dict[str, Tensor]) -> dict[str, RankedFit]:
        """Rank the scores (n,) of the leaves, all together or each leaf by itself, as the scope says."""
        found = {}
        for group in [[path] for path in leaves] if self.scope == "layer" else [list(leaves)]:
            sizes = [len(scores[path]) for path in group]
            ranks = rank(torch.cat([scores[path] for path in group])).split(sizes) if group else ()
            for path, part in zip(group, ranks, strict=True):
                found[path] = self.fit(leaves[path], scores[path], part, sum(sizes))
        return found
