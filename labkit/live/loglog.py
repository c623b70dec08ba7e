"""A plot with two logarithmic axes as a still picture: lines that differ in colour, in shape and in name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.live.shapes import INK, PAPER, QUIET, card, line, text

# Okabe and Ito's colours, safe for colour-blind readers; the first is for what the others are compared with.
COLOURS = (INK, "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#7a8594")
PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


@dataclass(frozen=True)
class Line:
    """A line of points (x, y), both above 0; the numbers in `marks` are those x that are ringed."""

    name: str
    points: Sequence[tuple[float, float]]
    marks: Sequence[float] = ()


@dataclass(frozen=True)
class Box:
    """Where a plot stands on the page, with its title and axis labels."""

    left: float
    top: float
    width: float
    height: float
    title: str
    x: str
    y: str


def plot(box: Box, lines: Sequence[Line], ticks: Sequence[float]) -> list[str]:
    """Draw lines over `ticks` of the x axis; those of the y axis are powers of ten."""
    inner = (box.left + 58, box.top + 36, box.width - 74, box.height - 84)
    ys = [y for one in lines for _, y in one.points] or [1.0]
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)) + 1e-9)
    first, last = math.log2(min(ticks)), math.log2(max(ticks))

    def at(x: float, y: float) -> tuple[float, float]:
        across = (math.log2(x) - first) / max(last - first, 1)
        up = (math.log10(y) - low) / max(high - low, 1)
        return inner[0] + across * inner[2], inner[1] + (1 - up) * inner[3]

    drawn = [
        card(box.left, box.top, box.width, box.height),
        text(box.left + 14, box.top + 22, box.title, 13, weight=600),
    ]
    for power in range(low, high + 1):
        y = at(min(ticks), 10.0**power)[1]
        drawn += [line(inner[0], y, inner[0] + inner[2], y), text(inner[0] - 6, y + 4, _si(power), 11, QUIET, "end")]
    for tick in ticks:
        x, floor = at(tick, 10.0**low)
        drawn += [line(x, inner[1], x, floor), text(x, floor + 16, f"{tick:,}", 11, QUIET, "middle")]
    bottom = box.top + box.height - 14
    drawn.append(text(inner[0] + inner[2] / 2, bottom, f"{box.x} (log); up: {box.y} (log)", 11, QUIET, "middle"))
    for index, one in enumerate(lines):
        drawn += _drawn(index, one, at)
    return drawn


def legend(left: float, top: float, names: Sequence[str], columns: int = 3, gap: float = 305) -> list[str]:
    """Write the name of each line beside its colour and shape, row by row."""
    drawn = []
    for index, name in enumerate(names):
        x, y = left + gap * (index % columns), top + 24 * (index // columns)
        colour = COLOURS[index % len(COLOURS)]
        drawn += [line(x, y - 4, x + 34, y - 4, colour, 2), *_marker(index, x + 17, y - 4), text(x + 44, y, name, 12)]
    return drawn


def _drawn(index: int, one: Line, at) -> list[str]:
    colour = COLOURS[index % len(COLOURS)]
    points = [at(x, y) for x, y in one.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    width = 3 if index == 0 else 1.6
    drawn = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>']
    for (x, _), (across, down) in zip(one.points, points, strict=True):
        drawn += _marker(index, across, down)
        if x in one.marks:
            drawn.append(
                f'<circle cx="{across:.1f}" cy="{down:.1f}" r="9" fill="none" stroke="{colour}" stroke-width="2"/>'
            )
    return drawn


def _marker(index: int, x: float, y: float, radius: float = 4.5) -> list[str]:
    """Draw a polygon of 2 to 8 corners: a different one for each line, the first a disc."""
    colour = COLOURS[index % len(COLOURS)]
    if index == 0:
        return [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius - 1}" fill="{colour}"/>']
    corners, turn = (3, 4, 4, 3, 5, 3, 6)[(index - 1) % 7], (0, 0, 0.25, 1, 0, 0.5, 0)[(index - 1) % 7]
    angles = [math.pi * (2 * corner / corners - 0.5 + turn) for corner in range(corners)]
    spots = " ".join(f"{x + radius * math.cos(a):.1f},{y + radius * math.sin(a):.1f}" for a in angles)
    return [f'<polygon points="{spots}" fill="{PAPER}" stroke="{colour}" stroke-width="1.6"/>']


def _si(power: int) -> str:
    """Write a power of ten with a prefix: 10^-5 as 10 µ.

    >>> _si(-5), _si(0), _si(4)
    ('10 µ', '1', '10 k')
    """
    base = 3 * math.floor(power / 3)
    return f"{10 ** (power - base)} {PREFIXES.get(base, f'e{base}')}".strip()
