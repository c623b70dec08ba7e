"""The rules give every layer the same rank, ratio or energy, and the largest that fits: compared with all of them."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from labkit import adopt
from labkit.lowrank.budget import Budget
from tests.lowrank.budgets import noise, odd


def linear(seed: int) -> nn.Sequential:
    """Three layers of any size, whose ranks are all low enough to be counted one by one."""
    random = np.random.RandomState(seed)
    sides = random.randint(6, 28, 4)
    torch.manual_seed(seed)
    return adopt(nn.Sequential(*(nn.Linear(int(a), int(b)) for a, b in pairwise(sides))))


class Told:
    """A network of matrices m x n in closed form: rank r stores r (m + n) numbers, and the layer left alone m n."""

    def __init__(self, model: nn.Sequential):
        self.names = [name for name, _ in model.named_children()]
        self.weights = [layer.weight().detach().double().numpy() for layer in model]
        self.tops = [(w.size - 1) // sum(w.shape) for w in self.weights]
        self.fixed = sum(len(w) for w in self.weights)  # the biases
        self.total = self.fixed + sum(w.size for w in self.weights)
        squares = [np.linalg.svd(w, compute_uv=False) ** 2 for w in self.weights]
        kept = [np.cumsum(one) / one.sum() for one in squares]
        self.energies = [dict(enumerate(one[:top], 1)) | {None: 1.0} for one, top in zip(kept, self.tops, strict=True)]

    def cost(self, layer: int, rank: int | None) -> int:
        w = self.weights[layer]
        return w.size if rank is None else rank * sum(w.shape)

    def ratio(self, layer: int, rank: int | None) -> Fraction:
        return Fraction(self.cost(layer, rank), self.weights[layer].size)

    def ranks(self, layer: int) -> list[int | None]:
        return [*range(1, self.tops[layer] + 1), None]

    def best(self, rule, shares, value: float) -> dict[str, int | None]:
        """Try all shares from the lowest, and return what the largest that fits gives to each layer."""
        layers = range(len(self.weights))
        found = None
        for share in sorted(shares):
            ranks = [rule(layer, share) for layer in layers]
            if self.fixed + sum(map(self.cost, layers, ranks)) <= value * self.total:
                found = dict(zip(self.names, ranks, strict=True))
        return found

    def equal_rank(self, value: float):
        return self.best(lambda layer, r: r if r <= self.tops[layer] else None, range(1, max(self.tops) + 2), value)

    def equal_ratio(self, value: float):
        shares = {self.ratio(layer, rank) for layer in range(len(self.weights)) for rank in self.ranks(layer)}

        def largest(layer, q):
            if q >= 1:
                return None
            return max([rank for rank in self.ranks(layer)[:-1] if self.ratio(layer, rank) <= q], default=1)

        return self.best(largest, shares, value)

    def equal_energy(self, value: float):
        shares = {energy for one in self.energies for energy in one.values()}

        def least(layer, e):
            return next(rank for rank, energy in self.energies[layer].items() if energy >= e)

        return self.best(least, shares, value)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("share", ["rank", "ratio", "energy"])
def test_the_share_is_the_largest_that_fits(share, seed):
    model = linear(seed)
    told = Told(model)
    curve = Budget(share=share).prepare(model)
    assert curve.total == 4 * told.total
    seen = {value: curve.ranks(value) for value in curve.knob.values}
    expected = {value: getattr(told, f"equal_{share}")(value) for value in curve.knob.values}
    assert seen == expected and len(seen) > 4
    assert seen[1] == dict.fromkeys(told.names)  # everything fits: all layers are left alone


def test_a_layer_in_which_the_rank_does_not_pay_is_left_alone_and_still_counted():
    torch.manual_seed(0)
    model = adopt(nn.Sequential(nn.Linear(100, 100), nn.Linear(100, 4)))
    ranks = Budget(share="rank").prepare(model).ranks(0.5)
    left = 10504 * 0.5 - 104 - 400  # half of all numbers, less the biases and the small layer
    assert ranks["1"] is None and ranks["0"] <= left / 200 < 1.06 * ranks["0"] + 1


def test_multiplications_are_shared_by_their_own_prices():
    """A convolution is used at many positions and a matrix once, so that the same ranks cost other shares."""
    by_bytes, by_macs = (Budget(share="ratio", unit=unit).prepare(odd(), noise()) for unit in ("bytes", "macs"))
    assert by_bytes.costs["inner"][1] != by_macs.costs["inner"][1]
    assert by_macs.costs["inner"][None] == 6 * 6 * 9 * 8 * 8  # out * in * kernel * positions
    assert by_macs.costs["inner"][2] == 2 * (6 + 6 * 9) * 8 * 8
    assert by_macs.costs["one"][None] == 2 * 12 * 12  # two layers share it, and each multiplies
    assert by_bytes.costs["one"][None] == 4 * 12 * 12  # it is stored once
