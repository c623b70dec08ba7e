"""Students of every width, plain and distilled: their errors against their size, with the range of the seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from labkit.benchmark import catalogue, distillation
from labkit.benchmark.cells import marks
from labkit.benchmark.results import Mark
from labkit.live.loglog import COLOURS
from labkit.live.shapes import PAPER, QUIET, card, line, page, text
from labkit.live.watch import Drawing

PAGE, TOP, HEIGHT = 830, 56, 300
NAMES = ("LabelsAlone", "SoftTargets")
TICKS = (5, 6, 7, 8, 10, 12, 15, 20, 30, 40, 60)  # test errors in percent
At = Callable[[float, float], tuple[float, float]]


def student_curves(networks: Sequence[str] = ("VGG", "LeNet-5")) -> Drawing:
    """Draw the shipped runs of plain and distilled students for some networks.

    >>> student_curves()  # doctest: +ELLIPSIS
    Test error against bytes of the file...
    """
    titles = [catalogue.method(f"distillation.{name}").title for name in NAMES]
    drawn = [text(20, 34, "Students of every width on Fashion-MNIST, three seeds", 16, weight=700)]
    said = []
    wide = (PAGE - 30 - 10 * len(networks)) / len(networks)
    for place, network in enumerate(networks):
        curves = [curve(network, name) for name in NAMES]
        drawn += _plot(network, curves, 15 + place * (wide + 10), wide)
        said += [f"{network}, {title}: {_words(found)}" for title, found in zip(titles, curves, strict=True)]
    for index, title in enumerate(titles):
        left, y = 30 + 220 * index, TOP + HEIGHT + 26
        drawn += [*_stroke(index, [(left, y - 4), (left + 36, y - 4)]), *_spot(index, left + 18, y - 4)]
        drawn.append(text(left + 46, y, title, 12))
    drawn.append(text(470, TOP + HEIGHT + 26, "upright strokes: from the best to the worst seed", 12, QUIET))
    words = f"Test error against bytes of the file. {'; '.join(said)}."
    return Drawing(page(drawn, words, TOP + HEIGHT + 44, PAGE), words)


def curve(network: str, name: str) -> list[Mark]:
    """Return the marks of a method (its class) on the test split, in the order of the width."""
    found = [
        mark
        for point, mark in marks(distillation.WIDTHS)
        if (point.network, point.method) == (network, f"distillation.{name}")
    ]
    return sorted(found, key=lambda mark: mark.value)


def _plot(network: str, curves: Sequence[Sequence[Mark]], left: float, width: float) -> list[str]:
    """Draw both curves: the bytes across, the error upwards, both axes logarithmic."""
    every = [mark for found in curves for mark in found]
    drawn = [card(left, TOP, width, HEIGHT), text(left + 14, TOP + 22, f"{network}: test error (%)", 13, weight=600)]
    if not every:
        return [*drawn, text(left + 14, TOP + 60, "not run", 12, QUIET)]
    inner = (left + 42, TOP + 36, width - 76, HEIGHT - 84)
    errors = [100 * (1 - share) for mark in every for share in (mark.low, mark.high)]
    low, high = 0.95 * min(errors), 1.05 * max(errors)
    small, large = min(mark.bytes for mark in every), max(mark.bytes for mark in every)

    def at(size: float, error: float) -> tuple[float, float]:
        across = math.log(size / small) / math.log(large / small)
        return inner[0] + across * inner[2], inner[1] + inner[3] * math.log(high / error) / math.log(high / low)

    for tick in (tick for tick in TICKS if low <= tick <= high):
        y = at(small, tick)[1]
        drawn += [line(inner[0], y, inner[0] + inner[2], y), text(inner[0] - 6, y + 4, f"{tick}", 11, QUIET, "end")]
    for mark in curves[0]:
        x, floor = at(mark.bytes, low)
        drawn.append(text(x, floor + 16, _kilobytes(mark.bytes), 11, QUIET, "middle"))
        drawn.append(text(x, floor + 31, _width(mark.value), 10, QUIET, "middle"))
    drawn.append(
        text(left + width / 2, TOP + HEIGHT - 6, "bytes of the file, width of the student", 11, QUIET, "middle")
    )
    for index, found in enumerate(curves):
        drawn += _line(index, found, at)
    return drawn


def _line(index: int, found: Sequence[Mark], at: At) -> list[str]:
    """Draw a curve, a disc or a ring at each mark, and a stroke over the range of the seeds."""
    colour = COLOURS[index]
    spots = [at(mark.bytes, 100 * (1 - mark.accuracy)) for mark in found]
    drawn = _stroke(index, spots)
    for mark, (x, y) in zip(found, spots, strict=True):
        aside = x + 3 * (2 * index - 1)  # or else one stroke hides the other
        top, bottom = (at(mark.bytes, 100 * (1 - share))[1] for share in (mark.high, mark.low))
        drawn.append(line(aside, top, aside, bottom, colour, 2))
        drawn += _spot(index, x, y)
    return drawn


def _stroke(index: int, spots: Sequence[tuple[float, float]]) -> list[str]:
    """A line through spots, dashed for the plain student."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    dashes = "" if index else 'stroke-dasharray="5 4"'
    return [f'<polyline points="{path}" fill="none" stroke="{COLOURS[index]}" stroke-width="1.8" {dashes}/>']


def _spot(index: int, x: float, y: float) -> list[str]:
    """A ring for the plain student, a disc for the taught one."""
    colour = COLOURS[index]
    fill = colour if index else PAPER
    return [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{colour}" stroke-width="1.6"/>']


def _words(found: Sequence[Mark]) -> str:
    return ", ".join(f"{100 * (1 - mark.accuracy):.1f} % at {_kilobytes(mark.bytes)}" for mark in found) or "not run"


def _kilobytes(size: float) -> str:
    return f"{size / 1000:,.0f} kB" if size >= 9_500 else f"{size / 1000:.1f} kB"


def _width(value: float) -> str:
    return "whole" if value == 1 else f"1/{1 / value:g}"
