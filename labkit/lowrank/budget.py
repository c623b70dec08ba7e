"""One budget for the whole network: what the survey misses in methods that go layer by layer.

    minimise  loss(r_1, ..., r_L)   so that   sum over layers of cost_l(r_l) <= budget.

The budget is a share of the network's bytes (the numbers it stores, 4 bytes each) or of its multiplications, and is
never exceeded. What is left to choose is how the layers share it. By measured loss: see `measured`, whose idea is
that of Yang 2018, and `knapsack`. The rules that see the weights alone, or not even those, are in `shares`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import ClassVar

from torch import nn

from labkit.data import Data
from labkit.lowrank.budgetcurve import UNITS, BudgetCurve
from labkit.lowrank.cut import method
from labkit.lowrank.ladder import Choice, Ladders, ladders
from labkit.lowrank.measured import Probe, allocate
from labkit.lowrank.shares import equal_energy, equal_rank, equal_ratio
from labkit.lowrank.svd import SVD
from labkit.methods import Knob, Method

VALUES = (0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
RULES = {"rank": equal_rank, "energy": equal_energy, "ratio": equal_ratio}
KEPT = 2  # networks whose decompositions are kept for the next budget

_recent: deque[tuple[tuple, Ladders]] = deque(maxlen=KEPT)


class Budget(Method):
    """All layers share one budget, by a low-rank method at a rank for each.

    `base` is the method, or its name: every one whose knob is a rank. `share` says how the budget is shared: "loss"
    (as measured on training pictures), "rank", "energy" or "ratio" (the same in each layer); `unit` what it counts:
    "bytes" or "macs". Raises ValueError for others. `prepare` raises it for one layer alone, and without data where
    the loss is measured or multiplications are counted.

    >>> from labkit import zoo
    >>> curve = Budget(share="ratio").prepare(zoo.load("LeNet-300-100"))
    >>> curve.ranks(0.5)
    {'fc1': 106, 'fc2': 38, 'fc3': 4}
    """

    paper = "yang2018"
    stores = "what the low-rank method stores, at another rank in each layer"
    idea: str
    equation: str
    drawback: str
    _cards: ClassVar[dict[str, tuple[str, str, str, str]]] = {
        "loss": (
            "Budget, measured loss",
            "Each layer gets the rank with which the network as a whole loses least. How much it loses is measured on "
            "training pictures.",
            r"\min_{r_1 \dots r_L} \overline{\mathrm{KL}(p \,\|\, q_{r_1 \dots r_L})} \;\text{ so that }\; "
            r"\sum_l c_l(r_l) \le C",
            "It takes pictures and seconds of measuring for each network. What training would repair, it does not see.",
        ),
        "rank": (
            "Budget, equal rank",
            "Each layer gets the same rank, the largest that the budget allows. Where it saves nothing, the layer is "
            "left alone.",
            r"r_l = r, \quad \sum_l c_l(r) \le C",
            "One rank is little for a wide layer, and much for a thin one.",
        ),
        "energy": (
            "Budget, equal energy",
            "Each layer keeps the same share of its energy, the largest that the budget allows.",
            r"r_l = \min \Big\{ r : 1 - \frac{\|W_l - W_{l,r}\|^2}{\|W_l\|^2} \ge e \Big\}, "
            r"\quad \sum_l c_l(r_l) \le C",
            "A layer's energy says nothing of how much the network depends on it.",
        ),
        "ratio": (
            "Budget, equal ratio",
            "Each layer keeps the same share of its own cost, the largest that the budget allows.",
            r"r_l = \max \{ r : c_l(r) \le q\, c_l \}, \quad \sum_l c_l(r_l) \le C",
            "Small layers that matter most are cut as hard as large ones with much to spare.",
        ),
    }

    def __init__(self, base: SVD | str = "SVD", share: str = "loss", unit: str = "bytes"):
        if share not in self._cards:
            raise ValueError(f"share is {share!r}, but must be one of {', '.join(self._cards)}")
        if unit not in UNITS:
            raise ValueError(f"unit is {unit!r}, but must be one of {', '.join(UNITS)}")
        self.base, self.share, self.unit = method(base), share, unit
        self.title, self.idea, self.equation, self.drawback = self._cards[share]
        self.title += {"bytes": "", "macs": " of multiplications"}[unit]
        self.title += "" if type(self.base) is SVD else f": {self.base.title}"
        if share != "loss":
            self.paper = "zhang2015"
        name = {"bytes": "budget", "macs": "budget_macs"}[unit]
        self.knob = Knob(name, f"budget: share of the {UNITS[unit]}", VALUES, 0.5, percent=True)

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> BudgetCurve:
        if where is not None:
            raise ValueError("one layer alone has nothing to share a budget with: choose the whole network")
        if data is None and self.share == "loss":
            raise ValueError('the loss is measured on pictures: give prepare(model, data) the data, or share="energy"')
        if data is None and self.unit == "macs":
            raise ValueError(
                "how often a layer multiplies depends on the pictures' size: give prepare(model, data) the data"
            )
        known = _ladders(model, self.base, data)
        values = tuple(value for value in VALUES if value >= known.least(self.unit) or value == 1)
        knob = Knob(self.knob.name, self.knob.label, values, min(values, key=lambda value: abs(value - 0.5)), True)
        limits = {value: value * known.total[self.unit] for value in values}
        return BudgetCurve(self, knob, known, self.unit, self._choices(known, limits, data))

    def _choices(self, known: Ladders, limits: dict[float, float], data: Data | None) -> dict[float, Choice]:
        """Choose a rung for each layer at each value of the knob."""
        if not known.ladders:
            return dict.fromkeys(limits, ())
        if self.share == "loss":
            found = allocate(known, Probe(known, data), self.unit, list(limits.values()))
            return {value: found[limit] for value, limit in limits.items()}
        return {value: RULES[self.share](known, self.unit, limit) for value, limit in limits.items()}


def _ladders(model: nn.Module, base: SVD, data: Data | None) -> Ladders:
    """Decompose a network and count what its ranks cost; once for all budgets that are compared on it."""
    content = hashlib.blake2b(repr(model).encode())
    for tensor in model.state_dict().values():
        content.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    key = (content.digest(), type(base), repr(sorted(vars(base).items())))
    for (one, about, other), known in list(_recent):
        if one is model and about is data and other == key:
            return known
    known = ladders(base.prepare(model, data), data.image_shape if data is not None else None, every=base.slices)
    _recent.append(((model, data, key), known))
    return known
