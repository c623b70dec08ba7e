"""HashedNets: all weights of a layer share few numbers, and a hash says who shares with whom (Chen 2015).

    V_ij = xi(i, j) w_{h(i, j)},   h(i, j) in {1 .. K},   xi(i, j) in {-1, 1}.

The share K / n is chosen before training, as is who shares. The least-squares fit to given weights V has
a closed form, since each weight belongs to one number alone:

    minimise  sum_ij (V_ij - xi(i, j) w_{h(i, j)})^2:   w_k = mean of xi(i, j) V_ij over the bucket h(i, j) = k.

Weights that meet by chance have nothing in common, so this mean is small and the fit poor; training
finds numbers that suit all who share them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from labkit.methods import Knob, LeafMethod, Picture, numbers
from labkit.train import Recipe
from labkit.weights import Hashed, Weight
from labkit.weights.hashed import places

SHARES = (1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64)
SHARE = Knob("share", "share of the numbers that are stored", SHARES, 1, percent=True)


def bucket_means(values: Tensor, seed: int, count: int) -> Tensor:
    """Return w_k = mean of xi V over each of K buckets, (K,); 0 where nothing fell into a bucket (Chen 2015).

    `values` are the weights V, of any shape.

    >>> weight = torch.tensor([1.0, 3.0, -5.0, 7.0])
    >>> places(seed=0, count=2, numbers=4).tolist(), bucket_means(weight, seed=0, count=2).tolist()
    ([1, 3, 3, 1], [0.0, 2.5])
    """
    place = places(seed, count, values.numel()).long()
    flat = values.detach().cpu().flatten().double()
    signed = torch.where(place < count, flat, -flat)
    bucket = place % count
    sums = torch.bincount(bucket, signed, count)
    return (sums / torch.bincount(bucket, minlength=count).clamp(min=1)).to(values.dtype)


def draw_seed() -> int:
    """Draw a seed from torch's generator, so that torch.manual_seed decides it like all other chance."""
    return int(torch.randint(2**31, ()))


def stored(share: float, numbers: int) -> int:
    """Return how many numbers a share of n is, at least one.

    >>> stored(1 / 64, 784_000), stored(1 / 64, 10)
    (12250, 1)
    """
    return max(1, round(share * numbers))


@dataclass
class HashedFit:
    """One weight, and the seed that says which of its numbers will share."""

    values: Tensor
    seed: int

    def at(self, share: float) -> Weight | None:
        """Return the hashed weight that is nearest to this one; None where nothing is shared."""
        count = stored(share, self.values.numel())
        if count == self.values.numel():
            return None
        means = bucket_means(self.values, self.seed, count).to(self.values.device)
        return Hashed(means, self.seed, tuple(self.values.shape))

    def picture(self, share: float, name: str) -> Picture:
        """The matrix as the network sees it, made of the few numbers that are stored."""
        weight, n = self.at(share), self.values.numel()
        count = stored(share, n)
        title = f"{name}: {n / count:.3g} weights share each number"
        text = f"The matrix of {name}: {n:,} weights that use {count:,} stored numbers, {n / count:.3g} to each."
        return matrix(name, self.values if weight is None else numbers(weight), title, text)


def matrix(name: str, values: Tensor, title: str, text: str) -> Picture:
    """Return a picture of a weight, filters as rows."""
    rows = values.cpu().reshape(-1, math.prod(values.shape[1:]) if values.ndim > 1 else len(values))
    return Picture("matrix", title, f"input of {name}", f"output of {name}", rows.numpy(), text)


class HashedNets(LeafMethod):
    """Let a hash decide which weights share a number, and train the shared numbers."""

    title = "HashedNets"
    idea = "A hash sorts the weights of a layer into buckets, and all in a bucket share one trained number."
    equation = r"V_{ij} = \xi(i, j) \, w_{h(i, j)}, \quad h \in \{1, \dots, K\}, \ \xi \in \{-1, 1\}"
    stores = "K numbers and a seed for each layer; the hash gives all else"
    drawback = "The rate is fixed before training, and chance groups the weights: without training little is left."
    paper = "chen2015"
    knob = SHARE
    recipe = Recipe(epochs=1, learning_rate=0.2)

    def fit(self, leaf: Weight) -> HashedFit:
        return HashedFit(numbers(leaf), draw_seed())
