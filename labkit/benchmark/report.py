"""The lab's own shipped results as tables: what a method costs, and the papers' numbers beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from labkit import zoo
from labkit.benchmark import catalogue, results
from labkit.benchmark.results import Mark, Series
from labkit.measure import Accuracy
from labkit.table import Cell, Table

NETWORKS = ("LeNet-300-100", "LeNet-5", "VGG", "ResNet-20")
NOTHING: Cell = ("not run", "")
TEST = 10_000  # pictures


def losses(methods: Sequence[str], data: str = "FashionMNIST", networks: Sequence[str] = NETWORKS) -> Table:
    """Say how many points of test accuracy each method costs at the strong end of its knob, before and after training.

    `methods` are full names, as in "quantization.Ternary". Means over seeds, with the range of the seeds.
    Raises ValueError for a method that does not exist.
    """
    titles = [catalogue.method(name).title for name in methods]
    columns = ["network, accuracy of the original"]
    columns += [f"{title}, {how}" for title in titles for how in ("not trained", "trained")]
    rows = []
    for network in networks:
        original = zoo.card(network, data)["accuracy"]["test"]
        curves = [found for found in results.curves(network, data, split="test") if plain(found)]
        row: list[Cell] = [(f"{network}, {100 * original:.2f} %", "")]
        for name in methods:
            for trained in (False, True):
                row.append(_lost(original, [c for c in curves if c.method == name and c.trained == trained]))
        rows.append(tuple(row))
    note = (
        "Points of accuracy lost on the 10,000 test pictures; in brackets the range of the seeds. "
        f"One original's accuracy is itself uncertain by about {_half_interval(0.93):.1f} points."
    )
    return Table(f"What it costs, {data}", columns, rows, note)


def plain(found: Series) -> bool:
    """Say whether a series starts from the trained network, with the whole of it and nothing done before."""
    return found.where is None and not found.keep and found.start == "checkpoint"


def _lost(original: float, curves: Sequence[Series]) -> Cell:
    marks = [strongest(found) for found in curves]
    if not marks:
        return NOTHING
    best = max(marks, key=lambda mark: mark.accuracy)
    low, high = (100 * (original - share) for share in (best.high, best.low))
    seeds = f"{low:.1f} to {high:.1f}, {best.seeds} seeds" if best.seeds > 1 else "1 seed"
    return f"{100 * (original - best.accuracy):.1f}", seeds


def strongest(found: Series) -> Mark:
    """Return the mark with the fewest bytes."""
    return min(found.marks, key=lambda mark: mark.bytes)


def _half_interval(share: float) -> float:
    found = Accuracy(round(share * TEST), TEST)
    return 50 * (found.high - found.low)


def error(mark: Mark) -> Cell:
    """Show a test error in percent, with the range over seeds."""
    seeds = f"{100 * (1 - mark.high):.2f} to {100 * (1 - mark.low):.2f}, {mark.seeds} seeds"
    return f"{100 * (1 - mark.accuracy):.2f} %", seeds if mark.seeds > 1 else "1 seed"
