"""Magnitude pruning: the smallest weights become zero, and only the others are stored.

    keep w  where  |w| > t,  t such that a share s of the weights (the sparsity) falls to 0.

The threshold is one for the whole network, or one for each layer with the same sparsity in each.
One sort serves every sparsity. Han 2015 retrains afterwards, which wins most of the loss back.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

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


def rank_by_magnitude(values: Tensor) -> Tensor:
    """Number the weights by their magnitude, the smallest 0; equal ones in their order.

    >>> rank_by_magnitude(torch.tensor([0.3, -0.1, 0.2])).tolist()
    [2, 0, 1]
    """
    order = np.argsort(values.abs().flatten().numpy(), kind="stable")
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return torch.from_numpy(ranks)


@dataclass
class MagnitudeFit:
    """One weight and the rank of each of its numbers among those that share a threshold."""

    leaf: Weight
    ranks: Tensor
    ranked: int  # how many numbers share the threshold
    values: Tensor

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
        """The weights in 100 bins, the same for every sparsity."""
        return np.histogram(self.values.numpy(), bins=100)

    def picture(self, sparsity: float, name: str) -> Picture:
        """The histogram of the weights with the threshold on both sides of zero."""
        kept = self.kept(sparsity)
        gone = self.values.abs()[~kept]
        threshold = float(gone.max()) if len(gone) else 0.0
        counts, edges = self.histogram
        here = 1 - float(kept.float().mean())
        title = f"{name}: {100 * here:.1f} % of the weights are zero"
        return Picture(
            kind="histogram",
            title=title,
            x=f"weight of {name}",
            y="how many weights",
            values=counts,
            edges=edges,
            marks=np.array([-threshold, threshold]),
            text=f"Histogram of the weights of {name}; those between -{threshold:.3g} and {threshold:.3g} "
            f"are cut. {title}.",
        )


class Magnitude(Method):
    """Set the smallest weights to zero, by one threshold for the network or one for each layer."""

    title = "Magnitude pruning"
    idea = "The smallest weights become zero, and a list of positions says which are left."
    equation = r"\hat w = w \cdot [\,|w| > t\,]"
    stores = "the surviving weights, and the gaps between their positions"
    drawback = "Each layer tolerates another sparsity, and somebody has to find out which."
    paper = "han2015"
    knob = Knob("sparsity", "sparsity: share of zero weights", SPARSITIES, 0, percent=True)

    def __init__(self, scope: str = "network"):
        if scope not in ("network", "layer"):
            raise ValueError(f"scope is {scope!r}, but must be 'network' (one threshold) or 'layer' (one each)")
        self.scope = scope

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> LeafCurve:
        leaves = sound_leaves(model, where)
        values = {path: numbers(leaf).cpu().flatten() for path, leaf in leaves.items()}
        if self.scope == "layer":
            ranks = {path: rank_by_magnitude(flat) for path, flat in values.items()}
        else:
            together = rank_by_magnitude(torch.cat(list(values.values())))
            ranks = dict(zip(values, together.split([len(flat) for flat in values.values()]), strict=True))
        ranked = {
            path: len(flat) if self.scope == "layer" else sum(map(len, values.values()))
            for path, flat in values.items()
        }
        fits = {path: MagnitudeFit(leaf, ranks[path], ranked[path], values[path]) for path, leaf in leaves.items()}
        return LeafCurve(self, model, self.knob, fits)
