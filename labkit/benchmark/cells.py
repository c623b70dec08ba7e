"""What the tables are made of that set published numbers beside ours: a sweep's marks, and cells that show them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from labkit.benchmark import results
from labkit.benchmark.point import Point
from labkit.benchmark.report import NOTHING
from labkit.benchmark.results import Mark
from labkit.table import Cell
from labkit.train import Recipe

NOT_STATED: Cell = ("not stated", "")


def error(mark: Mark) -> Cell:
    """Show a test error in percent, with the range over seeds.

    >>> error(Mark(4, 1000, 0.98, 0.97, 0.99, 3))
    ('2.00 %', '1.00 to 3.00, 3 seeds')
    """
    seeds = f"{100 * (1 - mark.high):.2f} to {100 * (1 - mark.low):.2f}, {mark.seeds} seeds"
    return f"{100 * (1 - mark.accuracy):.2f} %", seeds if mark.seeds > 1 else "1 seed"


def marks(sweep: str) -> list[tuple[Point, Mark]]:
    """Return what a sweep found on the test split, averaged over the seeds: each point as of seed 0, in their order."""
    groups: dict[str, list[results.Entry]] = defaultdict(list)
    for entry in results.read(sweep):
        if entry.result:
            groups[replace(entry.point, seed=0).key].append(entry)
    return [
        (replace(group[0].point, seed=0), results.mark(group[0].point.value, [one.result for one in group], "test"))
        for group in groups.values()
    ]


def parameters(sweep: str) -> dict[str, int]:
    """Return how many numbers the networks of a sweep store, by the key of the point as of seed 0."""
    found = (entry for entry in results.read(sweep) if entry.result)
    return {replace(entry.point, seed=0).key: entry.result["parameters"] for entry in found}


def epochs_of(point: Point) -> int:
    """Return for how many epochs a point was trained; 0 where it was not."""
    return 0 if point.train is None else Recipe(**point.train).epochs


def accuracy(mark: Mark | None) -> Cell:
    """Show a test accuracy in percent, with the range over seeds; that it was not run where there is none.

    >>> accuracy(Mark(4, 1000, 0.98, 0.97, 0.99, 3))
    ('98.00 %', '97.00 to 99.00, 3 seeds')
    """
    if mark is None:
        return NOTHING
    seeds = f"{100 * mark.low:.2f} to {100 * mark.high:.2f}, {mark.seeds} seeds"
    return f"{100 * mark.accuracy:.2f} %", seeds if mark.seeds > 1 else "1 seed"


def said(trust: str) -> str:
    """Say what a mark of trust means."""
    meaning = {"S": "read in the paper", "S2": "read in a source that quotes it", "M-M": "recalled, not checked"}
    return f"[{trust}]: {meaning[trust]}."
