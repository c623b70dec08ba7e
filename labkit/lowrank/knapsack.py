"""One choice for each layer under one limit: the multiple-choice knapsack, by dynamic programming.

    minimise  sum over layers of loss_l(r_l),   so that  sum over layers of cost_l(r_l) <= limit.

With B_l(c) the least loss of the first l layers at a cost of c at most,

    B_l(c) = min over r of  B_(l-1)(c - cost_l(r)) + loss_l(r).

Costs are rounded up to a grid of GRID steps, so that the limit is never exceeded, and what rounding has left over is
spent at the end on whatever lowers the loss most for its price. Where costs are whole numbers and the limit is at
most GRID above the cheapest choice, nothing is rounded and the choice is the best there is (Sinha 1979).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

GRID = 2000
Rank = TypeVar("Rank", bound=Hashable)


def choose(
    costs: Mapping[str, Mapping[Rank, float]], losses: Mapping[str, Mapping[Rank, float]], limit: float
) -> dict[str, Rank]:
    """Choose one rank for each layer, so that all together cost at most `limit` and lose least.

    `costs` and `losses` map each layer to what each of its ranks costs and loses: losses add up, as costs do. Raises
    ValueError where the two do not speak of the same ranks, and where even the cheapest ranks cost more than the limit.

    >>> costs = {"conv": {1: 10, 2: 20}, "fc": {1: 50, 8: 90}}
    >>> choose(costs, {"conv": {1: 0.9, 2: 0.1}, "fc": {1: 0.2, 8: 0.1}}, limit=100)
    {'conv': 2, 'fc': 1}
    """
    if {layer: set(ranks) for layer, ranks in costs.items()} != {layer: set(ranks) for layer, ranks in losses.items()}:
        raise ValueError(
            "costs and losses must speak of the same ranks of the same layers: give one loss for each cost"
        )
    ranks = {layer: list(known) for layer, known in costs.items()}
    found = pick(
        [np.array([costs[layer][rank] for rank in known], dtype=float) for layer, known in ranks.items()],
        [np.array([losses[layer][rank] for rank in known], dtype=float) for layer, known in ranks.items()],
        limit,
    )
    return {layer: known[index] for (layer, known), index in zip(ranks.items(), found, strict=True)}


def pick(costs: Sequence[np.ndarray], losses: Sequence[np.ndarray], limit: float) -> list[int]:
    """Choose one index for each layer, given the costs and losses (choices,) of each; see `choose`."""
    least = sum(float(cost.min()) for cost in costs)
    if not least <= limit:
        raise ValueError(f"the cheapest ranks cost {least:g}, more than the limit of {limit:g}: raise the limit")
    step = max(1.0, (limit - least) / GRID)
    room = int((limit - least) / step)
    best, picks = np.zeros(room + 1), []
    for cost, loss in zip(costs, losses, strict=True):
        sizes = np.ceil((cost - cost.min()) / step).astype(int)
        best, chosen = _add(best, sizes, loss)
        picks.append((sizes, chosen))
    found = []
    for sizes, chosen in reversed(picks):
        found.append(int(chosen[room]))
        room -= sizes[found[-1]]
    return _spend(found[::-1], costs, losses, limit)


def _add(best: np.ndarray, sizes: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add a layer to the table of least losses (room + 1,): the new table, and the layer's choice at each cost."""
    new, chosen = np.full(len(best), np.inf), np.zeros(len(best), dtype=int)
    for index, size in enumerate(sizes):
        if size < len(best):
            total = best[: len(best) - size] + loss[index]  # B_(l-1)(c - cost) + loss
            better = total < new[size:]
            new[size:][better] = total[better]
            chosen[size:][better] = index
    return new, chosen


def _spend(found: list[int], costs: Sequence[np.ndarray], losses: Sequence[np.ndarray], limit: float) -> list[int]:
    """Spend what is left of the limit, step by step, where the loss falls most for what a step costs."""
    found = list(found)
    while True:
        left = limit - sum(cost[index] for cost, index in zip(costs, found, strict=True))
        steps = []
        for layer, (cost, loss, index) in enumerate(zip(costs, losses, found, strict=True)):
            price, gain = cost - cost[index], loss[index] - loss
            fits = np.flatnonzero((price <= left) & (gain > 0))
            steps += [(gain[other] / max(price[other], 1e-12), layer, int(other)) for other in fits]
        if not steps:
            return found
        _, layer, other = max(steps)
        found[layer] = other
