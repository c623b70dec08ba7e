"""The panel as one still picture (SVG), for readers without a running kernel.

It is drawn from the same parts as the live views, so it says what they said when it was made.
"""

from __future__ import annotations

import math

from labkit.live import second_still
from labkit.live.shapes import DATA, FINGER, INK, ORIGINAL, PAPER, QUIET, WIDTH, card, clip, line, page, shape, text

HEIGHT = 520


def svg(parts: dict) -> str:
    """Draw title, knob, tiles, accuracy against bytes, the bytes of each layer, and some kinds of the second view."""
    if "tiles" not in parts:
        said = parts.get("alert") or parts.get("say", {}).get("text", "")
        return page([text(20, 40, said or "The panel is still computing.", 15)], "The live panel", 80)
    title, knob = parts["title"], parts["knob"]
    chosen = ", ".join(choice["value"] for choice in parts["choices"][1:4])
    below = second_still.draw(parts["picture"], HEIGHT - 20)
    height = HEIGHT + (second_still.HEIGHT if below else 0)
    drawn = [
        text(20, 32, title["title"], 19, weight=700),
        text(20, 54, clip(title["idea"], 84), 13, QUIET),
        text(WIDTH - 20, 32, f"{knob['label']}: {knob['shown'][parts['place']['index']]}", 17, "#b97f00", "end", 700),
        text(WIDTH - 20, 54, chosen, 13, QUIET, "end"),
        *_tiles(parts["tiles"]),
        *_tradeoff(parts["tradeoff"], parts["trail"], parts["beside"]["points"]),
        *_sizes(parts["sizes"]),
        *below,
        text(20, height - 14, parts["say"]["text"], 12, QUIET),
    ]
    return page(drawn, f"{title['title']}. {parts['say']['text']}", height)


def _tiles(tiles: list[dict]) -> list[str]:
    step = (WIDTH - 40 + 10) / len(tiles)
    drawn = []
    for index, tile in enumerate(tiles):
        x = 20 + index * step
        drawn.append(card(x, 70, step - 10, 78))
        drawn.append(text(x + 12, 90, tile["label"], 11, QUIET))
        drawn.append(text(x + 12, 116, tile["value"], 20, weight=700))
        drawn.append(text(x + 12, 136, tile["note"], 11, QUIET))
    return drawn


def _tradeoff(view: dict, trail: list[dict], beside: list[dict]) -> list[str]:
    """Accuracy against bytes on a logarithmic axis."""
    left, top, width, height = 70, 200, 400, 240
    points = [point for series in trail for point in series["points"]]
    others = [view["now"][:2], view["original"], *([view["guess"]] if view["guess"] else [])]
    others += [other["now"][:2] for other in beside]
    sizes = [size for size, _ in points + others]
    low, high = math.log10(min(sizes) / 1.4), math.log10(max(sizes) * 1.6)
    floor = max(0.0, min(accuracy for _, accuracy in points + others) - 3)
    ceiling = min(101.0, max(accuracy for _, accuracy in points + others) + 3)

    def at(point: list | tuple) -> tuple[float, float]:
        x = left + (math.log10(point[0]) - low) / (high - low) * width
        return x, top + (ceiling - point[1]) / (ceiling - floor) * height

    drawn = [card(20, 160, 470, 330), text(34, 182, "Accuracy against size", 13, weight=600)]
    for step in range(5):
        share = floor + (ceiling - floor) * step / 4
        y = at((10**low, share))[1]
        drawn += [line(left, y, left + width, y), text(left - 8, y + 4, f"{share:.0f}", 11, QUIET, "end")]
    for power in range(math.floor(low), math.ceil(high) + 1):
        for size in (10**power, 2 * 10**power, 5 * 10**power):
            if 10**low <= size <= 10**high:
                x = at((size, floor))[0]
                drawn.append(line(x, top, x, top + height))
                drawn.append(text(x, top + height + 16, f"{size / 1000:g}", 11, QUIET, "middle"))
    drawn.append(text(left + width / 2, top + height + 36, "size of the saved file, KB (log)", 11, QUIET, "middle"))
    drawn.append(text(WIDTH / 2 - 4, 182, f"accuracy, % ({view['split']})", 11, QUIET, "end"))
    drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#9cc7e2" stroke="{DATA}"/>' for x, y in map(at, points)]
    x, y = at(view["original"])
    drawn += [shape(x, y, 5, 10, ORIGINAL), text(x - 14, y + 4, "original", 11, ORIGINAL, "end")]
    if view["guess"]:
        x, y = at(view["guess"])
        drawn += [shape(x, y, 2, 8, INK), text(x + 12, y + 4, "your guess", 11)]
    free = 0.0  # the next name stands no higher, so that none covers another
    for other in sorted(beside, key=lambda other: -other["now"][1]):
        x, y = at(other["now"])
        drawn += [shape(x, y, 3 + other["mark"], 7, QUIET), text(x + 14, max(y + 4, free), other["name"], 11)]
        free = max(y + 4, free) + 13
    x, y = at(view["now"])
    low_y, high_y = (at((view["now"][0], end))[1] for end in view["now"][2:])
    drawn.append(line(x, low_y, x, high_y, FINGER, 2))
    drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{FINGER}" stroke="{PAPER}" stroke-width="1.5"/>')
    return drawn


def _sizes(view: dict) -> list[str]:
    """One bar for each layer: filled now, outlined originally."""
    heading = "Where the bytes go: filled = now, outline = original"
    drawn = [card(500, 160, 440, 330), text(514, 182, heading, 13, weight=600)]
    rows = view["rows"]
    top = max(max(row[1], row[2]) for row in rows)
    step = min(48, 290 / len(rows))
    for index, (name, now, before, shown) in enumerate(rows):
        y = 194 + index * step
        drawn.append(text(582, y + step / 2 + 4, name, 11, INK, "end"))
        for size, paint in ((now, f'fill="{DATA}"'), (before, f'fill="none" stroke="{QUIET}"')):
            box = f'y="{y + 4:.1f}" width="{260 * size / top:.1f}" height="{step - 8:.1f}"'
            drawn.append(f'<rect x="590" {box} {paint}/>')
        drawn.append(text(596 + 260 * max(now, before) / top, y + step / 2 + 4, shown, 11))
    return drawn
