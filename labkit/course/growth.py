"""Structured matrices against n, live: numbers, multiplications and measured time fill in while one watches."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.live.loglog import Box, Line, legend, plot
from labkit.live.shapes import WIDTH, page, text
from labkit.live.watch import Drawing, watch
from labkit.structured import speed
from labkit.structured.speed import BATCHES, DENSE, SIZES, STRUCTURES, Timed, crossing

HEIGHT = 790
SIDE, TALL = (WIDTH - 60) / 2, 300


def against_n(budget_s: float = 40.0, sizes: Sequence[int] = SIZES, batches: Sequence[int] = BATCHES) -> list[Timed]:
    """Show time, multiplications and numbers against n for all structures, and return what was measured.

    Sizes that would take longer than `budget_s` seconds in all are left out. See `labkit.structured.speed.against_n`.
    """
    found = watch(speed.against_n(sizes, batches, budget_s=budget_s), draw)
    left_out = sorted(set(sizes) - {one.n for one in found})
    if left_out:
        print(f"Left out, since they would take longer than {budget_s:g} s: n = {', '.join(map(str, left_out))}.")
    return found


def draw(found: list[Timed]) -> Drawing:
    """Draw four plots against n, with a ring where a structure begins to be faster than the dense matrix."""
    batches, ticks = sorted({one.batch for one in found}), sorted({one.n for one in found} | {SIZES[0], SIZES[-1]})
    names = [DENSE, *(name for name in STRUCTURES if any(one.structure == name for one in found))]
    boxes = [(20, 60), (40 + SIDE, 60), (20, 80 + TALL), (40 + SIDE, 80 + TALL)]
    shown = [
        ("The layer's file, 4 bytes a number", "bytes", [_line(found, name, batches[0], "bytes") for name in names]),
        (
            "Multiplications for one input",
            "multiplications",
            [_line(found, name, batches[0], "macs") for name in names],
        ),
        *((_title(batch), "seconds", [_line(found, name, batch, "seconds") for name in names]) for batch in batches),
    ]
    drawn = [text(20, 36, "Matrices of n x n: paper above, this processor below (one thread)", 17, weight=700)]
    for (left, top), (title, unit, lines) in zip(boxes, shown, strict=False):
        drawn += plot(Box(left, top, SIDE, TALL, title, "n", unit), lines, ticks)
    drawn += legend(30, 2 * TALL + 108, names)
    words = said(found)
    return Drawing(page(drawn, words, HEIGHT), words)


def _title(batch: int) -> str:
    return f"Time with {'1 input' if batch == 1 else f'{batch} inputs'}; ringed: faster from here on"


def _line(found: list[Timed], name: str, batch: int, field: str) -> Line:
    points = [(one.n, getattr(one, field)) for one in found if one.structure == name and one.batch == batch]
    least = crossing(found, name, batch) if field == "seconds" else None
    return Line(name, points, (least,) if least else ())


def said(found: list[Timed]) -> str:
    """Say for each structure from which n on it is faster."""
    parts = []
    for batch in sorted({one.batch for one in found}):
        least = {name: crossing(found, name, batch) for name in STRUCTURES}
        words = "; ".join(f"{name}: {f'from n = {n:,}' if n else 'nowhere'}" for name, n in least.items())
        parts.append(f"Batch {batch}, faster than dense: {words}.")
    largest = max(one.n for one in found)
    return f"Time of products with n x n matrices up to n = {largest:,}. {' '.join(parts)}"
