"""Rules that share a budget out without looking at a picture: all layers get the same rank, ratio or energy.

Each has one number for the whole network, and takes the largest that the budget allows:

    equal rank:    r_l = r, or the next lower rung; a layer in which it does not pay is left alone,
    equal ratio:   r_l = the largest rank with  cost_l(r_l) <= q cost_l,
    equal energy:  r_l = the cheapest rank with  1 - ||W_l - W_r||^2 / ||W_l||^2 >= e.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labkit.lowrank.ladder import Choice, Ladder, Ladders


def equal_rank(ladders: Ladders, unit: str, limit: float) -> Choice:
    """Give each layer the same rank r, as large as the limit allows."""
    ranks = np.concatenate([ladder.ranks for ladder in ladders.ladders])

    def same(ladder: Ladder, r: float) -> int:
        costs = ladder.costs[unit]
        if r == 0:  # less than any rank costs, where what is left alone is what costs too much
            return int(costs.argmin())
        rung = int(np.searchsorted(ladder.ranks, r, side="right")) - 1 if r <= ladder.ranks[-1] else ladder.top
        return rung if costs[rung] < costs[-1] else ladder.top

    return _largest(ladders, unit, limit, np.append(ranks, [0, np.inf]), same)


def equal_ratio(ladders: Ladders, unit: str, limit: float) -> Choice:
    """Give each layer the same share q of its own cost, as large as the limit allows.

    A layer of which no rank costs that little gets its cheapest one.
    """
    ratios = np.concatenate([ladder.costs[unit] / ladder.costs[unit][-1] for ladder in ladders.ladders])

    def within(ladder: Ladder, q: float) -> int:
        costs = ladder.costs[unit]
        fits = np.flatnonzero(costs <= q * costs[-1] * (1 + 1e-12))
        return int(fits[-1]) if len(fits) else int(costs.argmin())

    return _largest(ladders, unit, limit, ratios, within)


def equal_energy(ladders: Ladders, unit: str, limit: float) -> Choice:
    """Let each layer keep the same share e of its energy, as large as the limit allows."""
    energies = np.concatenate([ladder.energy for ladder in ladders.ladders])

    def enough(ladder: Ladder, e: float) -> int:
        kept = np.flatnonzero(ladder.energy >= e)
        return int(kept[ladder.costs[unit][kept].argmin()])

    return _largest(ladders, unit, limit, np.append(energies, 0), enough)


def _largest(
    ladders: Ladders, unit: str, limit: float, shares: np.ndarray, rule: Callable[[Ladder, float], int]
) -> Choice:
    """Apply a rule with the largest of the shares at which the network costs no more than the limit."""
    shares = np.unique(shares)
    low, high = 0, len(shares)  # the smallest share fits, wherever anything does
    while high - low > 1:
        middle = (low + high) // 2
        fits = ladders.cost(tuple(rule(ladder, shares[middle]) for ladder in ladders.ladders), unit) <= limit
        low, high = (middle, high) if fits else (low, middle)
    return tuple(rule(ladder, float(shares[low])) for ladder in ladders.ladders)
