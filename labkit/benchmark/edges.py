"""The best of one theme beside the best of two, for each network: chosen on validation, reported on test."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.benchmark.frontier import single, smallest
from labkit.benchmark.report import NETWORKS, TEST, half_interval
from labkit.benchmark.spots import TWO, Spot, survey
from labkit.table import Cell, Table


def edges(lost: float = 0.01, networks: Sequence[str] = NETWORKS, data: str = "FashionMNIST") -> Table:
    """List the smallest file of one theme and of two that loses at most so much validation accuracy (a share).

    >>> edges(0.01, ["LeNet-5"]).rows[0][0][0]
    'LeNet-5'
    """
    rows: list[list[Cell]] = []
    for network in networks:
        found = survey(network, data)
        bar = found.original.accuracy - lost
        two = [spot for spot in found.spots if spot.theme == TWO]
        original = (f"{found.original.bytes:,} bytes", f"{100 * found.original.test:.2f} % test")
        cells = [_cell(smallest(part, bar), found.original) for part in (single(found.spots), two)]
        rows.append([(network, ""), original, *cells])
    note = (
        f"Smallest files that lose at most {100 * lost:g} points on validation; the accuracies are those on the "
        f"{TEST:,} test pictures, which chose nothing and leave {half_interval(0.93):.1f} points of doubt. What is "
        "best among hundreds on validation is a little lucky there, and falls back on test."
    )
    columns = ("network", "as it was trained", "best of one theme", "best of two themes")
    return Table(f"One theme or two, on {data}", columns, rows, note)


def _cell(spot: Spot | None, original: Spot) -> Cell:
    if spot is None:
        return "none", ""
    smaller = f"{original.bytes / spot.bytes:.0f} times smaller, {100 * spot.test:.2f} % test"
    return f"{spot.bytes:,.0f} bytes", f"{smaller}: {spot.title}, {spot.seeds} seed{'s' if spot.seeds > 1 else ''}"
