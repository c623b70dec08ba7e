"""The second view as a still picture: bars and spectra, which say more than their title."""

from __future__ import annotations

import math

from labkit.live.shapes import DATA, ENERGY, FINGER, INK, QUIET, WIDTH, card, line, text
from labkit.live.views import words

HEIGHT = 330  # that a still picture grows by
LEFT, TOP = 190, 44  # of the plot within its card
PLOT = (WIDTH - 20 - LEFT - 90, HEIGHT - 20 - TOP - 36)


def draw(view: dict, top: float) -> list[str]:
    """Draw the view on a card of its own that begins at a height; nothing for a kind that has no still picture."""
    kind = _DRAW.get(view["kind"])
    if kind is None or not view["values"]:
        return []
    middle, bottom = LEFT + PLOT[0] / 2, top + TOP + PLOT[1] + 30
    title = text(34, top + 24, view["title"], 13, weight=600)
    return [
        card(20, top, WIDTH - 40, HEIGHT - 20),
        title,
        *kind(view, top + TOP),
        text(middle, bottom, view["x"], 11, QUIET, "middle"),
    ]


def _bars(view: dict, top: float) -> list[str]:
    """A filled bar for each layer, and the outline of what it could have."""
    values, marks = view["values"], view["marks"]
    ends = [max(pair) for pair in zip(values, marks, strict=True)] if marks else values
    step, scale = min(40, PLOT[1] / len(values)), PLOT[0] / max([*ends, 1e-9])
    size = max(6, min(11, int(step)))
    drawn = []
    for index, (name, value, end) in enumerate(zip(view["names"], values, ends, strict=True)):
        y = top + index * step
        box = f'x="{LEFT}" y="{y:.1f}" height="{0.8 * step:.1f}"'
        drawn.append(f'<rect {box} width="{scale * value:.1f}" fill="{DATA}"/>')
        if marks:
            drawn.append(f'<rect {box} width="{scale * marks[index]:.1f}" fill="none" stroke="{QUIET}"/>')
        shown = _read(value) + (f" of {_read(marks[index])}" if len(set(marks)) > 1 else "")  # else the axis says it
        drawn.append(text(LEFT - 8, y + 0.4 * step + size / 3, name, size, INK, "end"))
        drawn.append(text(LEFT + scale * end + 6, y + 0.4 * step + size / 3, shown, size))
    return drawn


def _read(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else words.figures(value)


def _spectrum(view: dict, top: float) -> list[str]:
    """What is kept is filled, what is cut off hollow; the dashed line is the energy, on the right."""
    values, step = view["values"], view["step"]
    last = (len(values) - 1) * step + 1
    cut = min(view["marks"][0], last) if view["marks"] else last
    floor, peak = top + PLOT[1], max([*values, 1e-9])

    def at(index: float, share: float) -> tuple[float, float]:
        return LEFT + index / (last + 1) * PLOT[0], floor - share * PLOT[1]

    points = [at(1 + index * step, value / peak) for index, value in enumerate(values)]
    kept = points[: math.floor((cut - 1) / step) + 1]
    filled = [at(1, 0), *kept, (kept[-1][0], floor)]
    x = at(cut + 0.5, 0)[0]
    drawn = [
        line(LEFT, floor, LEFT + PLOT[0], floor),
        text(LEFT - 8, top + 4, f"{peak:.3g}", 11, QUIET, "end"),
        text(LEFT - 8, floor + 4, "0", 11, QUIET, "end"),
        text(LEFT - 8, top + PLOT[1] / 2, view["y"], 11, QUIET, "end"),
        f'<polygon points="{_path(filled)}" fill="{DATA}" fill-opacity="0.6"/>',
        _stroke(points[len(kept) - 1 :], QUIET, "2 2"),
        line(x, top, x, floor, FINGER, 2),
        text(x, floor + 16, f"{cut:g}", 11, INK, "middle", 700),
        text(LEFT + PLOT[0], floor + 16, f"{last:,}", 11, QUIET, "middle"),
    ]
    if "share" in view:
        energy = [at(1 + index * step, share / 100) for index, share in enumerate(view["share"])]
        drawn += [_stroke(energy, ENERGY, "6 4"), text(LEFT + PLOT[0] + 8, top + 4, "energy", 11, ENERGY)]
        drawn.append(text(LEFT + PLOT[0] + 8, top + 18, "kept: 100 %", 11, ENERGY))
    return drawn


def _stroke(points: list[tuple[float, float]], colour: str, dashes: str) -> str:
    look = f'fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dashes}"'
    return f'<polyline points="{_path(points)}" {look}/>'


def _path(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


_DRAW = {"bars": _bars, "spectrum": _spectrum}
