"""The exercise of notebook 04 on one budget: share the ranks out, and beat equal energy."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable

import torch
from torch import nn

from labkit import data, zoo
from labkit.course.checks import NotYet, exercise
from labkit.course.exercises.network import saved
from labkit.lowrank.budget import Budget, BudgetCurve
from labkit.lowrank.cut import cut
from labkit.measure import accuracy

Table = dict[str, dict[int, float]]  # layer -> rank -> number

SHARE = 0.2  # of VGG's bytes
WIN = 2.0  # points of accuracy above equal energy
SLACK = 1.2  # times the least loss there is: step by step is good enough


@exercise(
    "share out the ranks",
    "Begin with the largest rank everywhere, and take bytes away where they cost the least loss.",
    "A step leads from a layer's rank to a lower one. Its price is the loss that it adds, divided by the bytes that it "
    "saves. Take the cheapest step until the limit is kept.",
    "steps = [(layer, rank) for layer in costs for rank in costs[layer] if rank < ranks[layer]]; take min(steps, "
    "key=price), in which price(step) is the loss added for each byte saved; set ranks[layer] = rank; repeat.",
)
def share_out_the_ranks(share: Callable[[Table, Table, float], dict[str, int]]) -> str:
    """Ranks within a limit that lose nearly as little as any, then a network of VGG that beats equal energy."""
    for seed, part in ((0, 0.3), (1, 0.5), (2, 0.15)):
        costs, losses = _made_up(seed)
        dearest = sum(max(choices.values()) for choices in costs.values())
        _judge(share, costs, losses, part * dearest)
    model, curve, limit, equal = _setting()
    costs, losses = (_numbered(table, model) for table in (curve.costs, curve.losses))
    ranks = _asked(share, costs, losses, limit)
    chosen = {layer: rank if rank in curve.costs[layer] else None for layer, rank in ranks.items()}
    size, loaded = saved(cut(model, chosen), "the network with your ranks")
    mine = accuracy(loaded, data.load()).value
    if not 100 * (mine - equal) >= WIN:
        raise NotYet(
            f"With your ranks VGG has {100 * mine:.1f} % of the validation pictures right, equal energy "
            f"{100 * equal:.1f} %: win at least {WIN:g} points at the same {limit:,.0f} bytes of weights."
        )
    said = ", ".join(f"{layer} {rank or 'left alone'}" for layer, rank in chosen.items())
    return (
        f"VGG in a file of {size:,} bytes, nothing trained: {100 * mine:.1f} % with your ranks, {100 * equal:.1f} % "
        f"with equal energy at the same budget. Your ranks: {said}.\nA first and a last layer with few numbers "
        "cost next to nothing, and the network needs all of them. Budget() then also measures the layers together."
    )


def _judge(share: Callable, costs: Table, losses: Table, limit: float) -> None:
    """Compare with the best of all choices, tried one by one."""
    ranks = _asked(share, costs, losses, limit)
    loss = sum(losses[layer][rank] for layer, rank in ranks.items())
    least = math.inf
    for choice in itertools.product(*costs.values()):
        if sum(costs[layer][rank] for layer, rank in zip(costs, choice, strict=True)) <= limit:
            least = min(least, sum(losses[layer][rank] for layer, rank in zip(costs, choice, strict=True)))
    if not loss <= SLACK * least:
        raise NotYet(
            f"Within {limit:,.0f} of {sum(max(one.values()) for one in costs.values()):,.0f} bytes your ranks lose "
            f"{loss:.3f} nats, but {least:.3f} can be reached: {ranks}. Which bytes save the most loss?"
        )


def _asked(share: Callable, costs: Table, losses: Table, limit: float) -> dict[str, int]:
    """Return the learner's ranks; raise NotYet for what is none, or costs too much."""
    copies = ({layer: dict(table[layer]) for layer in table} for table in (costs, losses))
    ranks = share(*copies, limit)
    if not isinstance(ranks, dict) or set(ranks) != set(costs):
        raise NotYet(f"share(costs, losses, limit) should return one rank for each of {', '.join(costs)}, in a dict.")
    for layer, rank in ranks.items():
        if rank not in costs[layer]:
            raise NotYet(f"{layer} gets the rank {rank!r}, but costs has {', '.join(map(str, costs[layer]))}.")
    spent = sum(costs[layer][rank] for layer, rank in ranks.items())
    if spent > limit:
        raise NotYet(f"Your ranks cost {spent:,.0f} bytes, but the limit is {limit:,.0f}.")
    return ranks


def _made_up(seed: int) -> tuple[Table, Table]:
    """Costs and losses of four layers: each rank costs alike, and the loss falls ever more slowly."""
    random = torch.Generator().manual_seed(seed)
    costs, losses = {}, {}
    for layer, (price, fall, height) in enumerate(torch.rand(4, 3, generator=random).tolist()):
        ranks = range(1, 11)
        costs[f"layer{layer}"] = {rank: round(100 * (1 + 9 * price)) * rank for rank in ranks}
        losses[f"layer{layer}"] = {rank: (0.1 + 3 * height) * math.exp(-(0.2 + fall) * rank) for rank in ranks}
    return costs, losses


def _numbered(table: dict[str, dict[int | None, float]], model: nn.Module) -> Table:
    """Name the choice to leave a layer alone by the rank that it has."""
    return {
        layer: {rank or min(model.get_submodule(layer).weight().flatten(1).shape): one for rank, one in choices.items()}
        for layer, choices in table.items()
    }


@functools.cache
def _setting() -> tuple[nn.Module, BudgetCurve, float, float]:
    """VGG, its measured losses, the bytes for its weights, and the accuracy that equal energy gets for as many."""
    model, pictures = zoo.load("VGG"), data.load()
    curve = Budget().prepare(model, pictures)
    equal = Budget(share="energy").prepare(model, pictures).at(SHARE)
    return model, curve, SHARE * curve.total - curve.fixed, accuracy(equal, pictures).value


EXERCISES = (share_out_the_ranks,)
