"""What each budget gives to each layer: the curve of `Budget`, with the tables from which it chose."""

from __future__ import annotations

import numpy as np
from torch import nn

from labkit import layers
from labkit.lowrank.ladder import Choice, Ladders
from labkit.methods import Curve, Knob, Method, Picture

UNITS = {"bytes": "bytes", "macs": "multiplications"}

Table = dict[str, dict[int | None, float]]  # layer -> rank, None for the layer left alone -> number


class BudgetCurve(Curve):
    """The ranks that each budget gives to each layer.

    `total` is what the uncompressed network costs, in bytes or multiplications, and `fixed` the part of it that no
    rank changes.
    """

    def __init__(self, method: Method, knob: Knob, known: Ladders, unit: str, choices: dict[float, Choice]):
        super().__init__(method, known.curve.model, knob)
        self.ladders, self.unit, self.choices = known, unit, choices
        self.fixed, self.total = known.fixed[unit], known.total[unit]

    def at(self, value: float) -> nn.Module:
        rungs = zip(self.ladders.ladders, self.choices[self.knob.check(value)], strict=True)
        new = {ladder.path: ladder.at(rung) for ladder, rung in rungs}
        return layers.replace(self.model, {path: weight for path, weight in new.items() if weight is not None})

    def ranks(self, value: float) -> dict[str, int | None]:
        """Return the rank of each layer at a budget; None for a layer that is left alone."""
        rungs = zip(self.ladders.ladders, self.choices[self.knob.check(value)], strict=True)
        return {ladder.name: (*ladder.ranks, None)[rung] for ladder, rung in rungs}

    @property
    def costs(self) -> Table:
        """What each rank of each layer costs, in bytes or multiplications; the rank None is the layer left alone."""
        return self._table(self.ladders.costs(self.unit))

    @property
    def energies(self) -> Table:
        """The share of its squared norm that each layer keeps at each rank."""
        return self._table([ladder.energy for ladder in self.ladders.ladders])

    @property
    def losses(self) -> Table:
        """The loss in nats with one layer alone cut; raises ValueError where the budget is not shared by loss."""
        if self.ladders.losses is None:
            raise ValueError('no loss was measured: prepare Budget(share="loss") with data')
        return self._table(self.ladders.losses)

    def _table(self, arrays: list[np.ndarray]) -> Table:
        return {
            ladder.name: dict(zip((*ladder.ranks, None), array.tolist(), strict=True))
            for ladder, array in zip(self.ladders.ladders, arrays, strict=True)
        }

    def picture(self, value: float, layer: str) -> Picture:
        """The share of its own cost that each layer keeps, with its rank."""
        choice, found = self.choices[self.knob.check(value)], self.ladders.ladders
        ranks = [ladder.shown(rung) for ladder, rung in zip(found, choice, strict=True)]
        here = [rank for ladder, rank in zip(found, ranks, strict=True) if layer in (ladder.name, ladder.path)]
        here += [rank for ladder, rank in zip(found, ranks, strict=True) if ladder.path.startswith(f"{layer}.")]
        if not here:
            names = ", ".join(ladder.name for ladder in found)
            raise ValueError(f"layer {layer!r} has no share in the budget: it is not among {names}")
        costs = [ladder.costs[self.unit] for ladder in found]
        kept = np.array([100 * cost[rung] / cost[-1] for cost, rung in zip(costs, choice, strict=True)])
        said = ", ".join(f"{ladder.name} {rank}" for ladder, rank in zip(found, ranks, strict=True))
        return Picture(
            kind="bars",
            title=f"{layer}: {here[0]}, from {100 * value:g} % of all {UNITS[self.unit]}",
            x="kept of each layer (%)",
            y="layer",
            values=kept,
            marks=np.full(len(kept), 100.0),
            labels=tuple(f"{ladder.name}: {rank}" for ladder, rank in zip(found, ranks, strict=True)),
            text=f"With {100 * value:g} % of all {UNITS[self.unit]} the layers get: {said}.",
        )
