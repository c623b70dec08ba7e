"""The map of all results as a still picture, for pages without widgets."""

from __future__ import annotations

import math

from labkit.live.loglog import COLOURS
from labkit.live.shapes import FINGER, INK, ORIGINAL, QUIET, card, line, page, shape, text

WIDTH, HEIGHT = 830, 470
LEFT, TOP, WIDE, HIGH = 66, 84, 740, 320
CORNERS = (None, 4, 2, 3, 4, 6, 3, 5)  # of the marks, as the widget has them; the first is a disc
PAINTS = [colour for colour in COLOURS if colour not in (INK, FINGER)]


def svg(part: dict, title: str) -> str:
    """Draw the part `map` of a frontier (see `labkit.live.views.map`)."""
    (small, large), (floor, ceiling) = part["range"], part["span"]

    def at(place: list[float]) -> tuple[float, float]:
        across = math.log(place[0] / small) / math.log(large / small)
        return LEFT + across * WIDE, TOP + HIGH * (ceiling - place[1]) / (ceiling - floor)

    drawn = [text(15, 28, title, 16, weight=700), card(10, 40, WIDTH - 20, HEIGHT - 50)]
    for share in range(math.ceil(floor / 4) * 4, math.floor(ceiling) + 1, 4):
        y = at([small, share])[1]
        drawn += [line(LEFT, y, LEFT + WIDE, y), text(LEFT - 8, y + 4, f"{share}", 11, QUIET, "end")]
    for power in range(math.ceil(math.log10(small)), math.floor(math.log10(large)) + 1):
        x = at([10.0**power, floor])[0]
        drawn += [
            line(x, TOP, x, TOP + HIGH),
            text(x, TOP + HIGH + 16, f"1e{power} {part['unit']}", 11, QUIET, "middle"),
        ]
    axis = f"{part['axis']} (log); up: accuracy, % ({part['split']})"
    drawn.append(text(LEFT + WIDE / 2, TOP + HIGH + 36, axis, 12, QUIET, "middle"))
    for one in part["lines"]:
        drawn.append(_steps([at(place) for place in one["points"]], one["two"]))
    left = 24
    for group in part["groups"]:
        colour = FINGER if group["two"] else PAINTS[group["mark"] % len(PAINTS)]
        spots = [[dot["x"], dot["y"]] for dot in group["spots"] if dot["y"] >= floor]
        drawn += [_mark(*at(place), group["mark"], colour) for place in spots]
        drawn += [_mark(left, 60, group["mark"], colour), text(left + 9, 64, group["name"], 11)]
        left += 24 + 5.8 * len(group["name"])
    if part["original"]:
        drawn.append(shape(*at(part["original"]), 5, 10, ORIGINAL))
    return page(drawn, part["text"], HEIGHT, WIDTH)


def _steps(places: list[tuple[float, float]], two: bool) -> str:
    """A line that goes right first and then up, dashed for two themes."""
    path = f"M {places[0][0]:.1f} {places[0][1]:.1f}" + "".join(f" H {x:.1f} V {y:.1f}" for x, y in places[1:])
    dashes = 'stroke-dasharray="7 4"' if two else ""
    return f'<path d="{path}" fill="none" stroke="{FINGER if two else INK}" stroke-width="2" {dashes}/>'


def _mark(x: float, y: float, mark: int, colour: str) -> str:
    corners = CORNERS[mark % len(CORNERS)]
    if corners is None:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" fill="{colour}"/>'
    return shape(x, y, corners, 5, colour)
