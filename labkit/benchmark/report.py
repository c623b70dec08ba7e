"""The lab's own shipped results as tables: what methods cost on several networks."""

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
    rows = []
    for name in methods:
        for trained in (False, True):
            row: list[Cell] = [(f"{catalogue.method(name).title}, {'trained' if trained else 'not trained'}", "")]
            for network in networks:
                curves = [found for found in results.curves(network, data, split="test") if plain(found)]
                mine = [found for found in curves if found.method == name and found.trained == trained]
                row.append(_lost(_original(network, data), mine))
            rows.append(tuple(row))
    columns = ["method", *(f"{network} ({100 * _original(network, data):.2f} %)" for network in networks)]
    note = (
        f"Points lost on the {TEST:,} test pictures, of the original's accuracy in the heading, and the range of the "
        f"seeds. The original's accuracy itself is uncertain by about {half_interval(0.93):.1f} points."
    )
    return Table(f"What it costs on {data}, all weights of the network quantized", columns, rows, note)


def _original(network: str, data: str) -> float:
    return zoo.card(network, data)["accuracy"]["test"]


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


def half_interval(share: float, pictures: int = TEST) -> float:
    """Return half of the 95 % interval, in points, of an accuracy that was measured on so many pictures."""
    found = Accuracy(round(share * pictures), pictures)
    return 50 * (found.high - found.low)
