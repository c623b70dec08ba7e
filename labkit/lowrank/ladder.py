"""What each rank of each layer costs: the ladders from which a budget chooses one rung for each layer.

A rung is a rank, and the last rung of a ladder is the layer left alone. The costs of a rung are the bytes of the
numbers that it stores, 4 for each, and its multiplications in its place in the network; those of a network are the
sums over its layers and what no rung changes.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass

import numpy as np
from torch import nn

from labkit import macs
from labkit.lowrank.svd import RankFit
from labkit.measure import parameters
from labkit.methods import LeafCurve, numbers
from labkit.weights import Weight

EVERY, STEP = 16, 1.05  # every rank up to so many, and then in steps of so much
BYTES = 4  # of a number, float32
Choice = tuple[int, ...]  # a rung for each ladder


class Slot:
    """A copy of a network in which one Weight after the other is put in the place of another."""

    def __init__(self, model: nn.Module):
        self.model = copy.deepcopy(model)
        self.modules = dict(self.model.named_modules(remove_duplicate=False))

    def places(self, path: str) -> list[str]:
        """Return all paths at which the Weight of a path stands: layers may share it."""
        return [other for other, module in self.modules.items() if module is self.modules[path]]

    def put(self, path: str, weight: Weight | None) -> None:
        """Put a Weight in, or (None) the one that stood there at first."""
        for place in self.places(path):
            self.model.set_submodule(place, self.modules[path] if weight is None else weight)


@dataclass
class Ladder:
    """One weight of a network: its ranks, and what each of them and, at last, leaving it alone costs (rungs,)."""

    name: str
    path: str
    leaf: Weight
    fit: RankFit
    ranks: tuple[int, ...]
    costs: dict[str, np.ndarray]

    @property
    def top(self) -> int:
        """The rung on which the weight is left alone."""
        return len(self.ranks)

    def at(self, rung: int) -> Weight | None:
        """Return the weight of a rung; None where it is left alone."""
        return self.fit.at(self.ranks[rung]) if rung < self.top else None

    def shown(self, rung: int) -> str:
        """Say what a rung is."""
        return f"rank {self.ranks[rung]}" if rung < self.top else "left alone"

    @functools.cached_property
    def energy(self) -> np.ndarray:
        """The share of the squared norm that each rung keeps, 1 - ||W - W_r||^2 / ||W||^2, no less than a lower one."""
        whole = numbers(self.leaf).cpu()
        lost = [float((numbers(self.at(rung)) - whole).square().sum()) for rung in range(self.top)]
        kept = 1 - np.array([*lost, 0.0]) / max(float(whole.square().sum()), 1e-30)
        return np.maximum.accumulate(kept)

    def near(self, rung: int, factor: float) -> int:
        """Return the rung whose rank is `factor` times that of another, and at least one rung away if there is one."""
        if factor > 1:
            wanted = np.searchsorted(self.ranks, factor * self.ranks[rung]) if rung < self.top else self.top
            return min(max(int(wanted), rung + 1), self.top)
        rank = self.ranks[min(rung, self.top - 1)]
        return max(min(int(np.searchsorted(self.ranks, factor * rank, side="right")) - 1, rung - 1), 0)


@dataclass
class Ladders:
    """The ladders of a network, what it costs in all, and what it costs beside them."""

    curve: LeafCurve
    ladders: list[Ladder]
    total: dict[str, float]
    fixed: dict[str, float]
    losses: list[np.ndarray] | None = None  # of each rung, once they have been measured

    def cost(self, choice: Choice, unit: str) -> float:
        """Return what a network costs with a rung for each ladder, in bytes or multiplications."""
        return self.fixed[unit] + sum(
            float(ladder.costs[unit][rung]) for ladder, rung in zip(self.ladders, choice, strict=True)
        )

    def costs(self, unit: str) -> list[np.ndarray]:
        """Return the costs (rungs,) of each ladder."""
        return [ladder.costs[unit] for ladder in self.ladders]

    def least(self, unit: str) -> float:
        """Return the smallest share of its own cost that the network can be cut to."""
        return (self.fixed[unit] + sum(float(cost.min()) for cost in self.costs(unit))) / self.total[unit]


def ladders(curve: LeafCurve, image_shape: tuple[int, int, int] | None, every: bool = True) -> Ladders:
    """Count what each rank costs, for all weights of a network in which one pays; bytes alone without image_shape.

    With `every` False only the ranks of the curve's knob are rungs: for methods that take long for each rank.
    """
    slot, total = Slot(curve.model), {"bytes": float(BYTES * parameters(curve.model))}
    uses = None if image_shape is None else macs.calls(curve.model, image_shape)
    if uses is not None:
        total["macs"] = float(macs.counted(curve.model, uses))
    found = []
    for path, fit in curve.fits.items():
        ranks = _ranks(fit.top) if every else tuple(rank for rank in sorted(curve.knob.values) if rank <= fit.top)
        if ranks:
            leaf = curve.model.get_submodule(path)
            costs = _costs(slot, path, fit, ranks, uses)
            name = path.removesuffix(".weight") if path != "weight" else path
            found.append(Ladder(name, path, leaf, fit, ranks, costs))
    fixed = {unit: total[unit] - sum(float(ladder.costs[unit][-1]) for ladder in found) for unit in total}
    return Ladders(curve, found, total, fixed)


def _ranks(top: int) -> tuple[int, ...]:
    """Return ranks from 1 to the largest that pays: every one at first, then in steps that keep their ratio."""
    found = list(range(1, min(top, EVERY) + 1))
    while found and found[-1] < top:
        found.append(min(top, max(found[-1] + 1, int(found[-1] * STEP))))
    return tuple(found)


def _costs(
    slot: Slot, path: str, fit: RankFit, ranks: tuple[int, ...], uses: macs.Calls | None
) -> dict[str, np.ndarray]:
    """Count the bytes and the multiplications of each rung of one weight, the last with the weight left alone."""
    places = slot.places(path)
    inside = tuple(f"{place}." for place in places)
    others = slot.model.named_parameters(remove_duplicate=False)
    shared = {id(parameter) for name, parameter in others if not name.startswith(inside)}  # stored all the same
    its = [use for use in uses or () if any(f"{place}.".startswith(_weight_of(use[0])) for place in places)]
    found: dict[str, list[float]] = {"bytes": [], "macs": []}
    for rank in (*ranks, None):
        slot.put(path, None if rank is None else fit.at(rank))
        held = slot.model.get_submodule(path)
        kept = sum(parameter.numel() for parameter in held.parameters() if id(parameter) in shared)
        found["bytes"].append(BYTES * (parameters(held) - kept))
        found["macs"].append(macs.counted(slot.model, its))
    return {
        unit: np.array(values, dtype=float) for unit, values in found.items() if unit == "bytes" or uses is not None
    }


def _weight_of(layer: str) -> str:
    """Return how the paths of what is in a layer's weight begin."""
    return f"{layer}.weight." if layer else "weight."
