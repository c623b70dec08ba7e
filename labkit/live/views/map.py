"""The map of all results as plain data: a group of points for each theme, and the lines that nothing beats."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.benchmark.frontier import best, single
from labkit.benchmark.spots import COSTS, THEMES, TWO, Map, Spot
from labkit.benchmark.times import BATCHES
from labkit.live.views import words

UNITS = {"bytes": "B", "macs": "", "one": "s", "many": "s"}
BELOW = 16  # points of accuracy below the original that are shown
MARKS = (*THEMES.values(), TWO)


def plot(
    found: Map, shown: Sequence[Spot], cost: str, chosen: Spot | None, guess: tuple[float, float] | None = None
) -> dict:
    """Return the points of the shown spots by theme, and the frontiers of one theme and of two."""
    known = [spot for spot in shown if spot.cost(cost) is not None]
    groups = [
        {
            "name": name,
            "mark": mark,
            "two": name == TWO,
            "spots": [_dot(one, cost) for one in known if one.theme == name],
        }
        for mark, name in enumerate(MARKS)
    ]
    lines = [
        {"name": name, "two": two, "points": [_place(spot, cost) for spot in best(spots, cost)]}
        for name, two, spots in (
            ("best of one theme", False, single(found.spots)),
            ("best of two themes", True, [spot for spot in found.spots if spot.theme == TWO]),
        )
    ]
    original = found.original if found.original.cost(cost) else None
    costs = [spot.cost(cost) for spot in (*found.spots, found.original) if spot.cost(cost)]
    top = 100 * max(spot.accuracy for spot in (*found.spots, found.original))
    floor = max(0.0, 100 * found.original.accuracy - BELOW)
    low = sum(100 * spot.accuracy < floor for spot in known)
    return {
        "groups": [group for group in groups if group["spots"]],
        "lines": [line for line in lines if line["points"]],
        "original": _place(original, cost) if original else None,
        "chosen": _place(chosen, cost) if chosen and chosen.cost(cost) else None,
        "guess": [guess[0], round(100 * guess[1], 2)] if guess and cost == "bytes" else None,
        "range": [min(costs) / 1.3, max(costs) * 1.3],
        "span": [floor, min(101.0, top + 1.5)],
        "axis": COSTS[cost],
        "unit": UNITS[cost],
        "split": found.split,
        "text": _text(found, known, cost, low),
    }


def label(spot: Spot, cost: str) -> str:
    """Say where a spot lies and what it is: cost, accuracy, methods."""
    return f"{shown(spot.cost(cost), cost)}, {100 * spot.accuracy:.2f} %: {spot.title}"


def shown(value: float | None, cost: str) -> str:
    """Write a cost with its unit."""
    if value is None:
        return "not timed"
    if cost == "bytes":
        return words.size(value)
    return words.count(value) if cost == "macs" else words.seconds(value)


def about(found: Map, spot: Spot | None, cost: str) -> dict:
    """Say all that is known of a spot; the key is empty where it cannot be opened."""
    if spot is None:
        return {"text": "Click a mark, and it becomes a live model below.", "key": ""}
    seeds = f", {100 * spot.low:.2f} to {100 * spot.high:.2f} over {spot.seeds} seeds" if spot.seeds > 1 else ", 1 seed"
    times = [
        f"{words.seconds(one.seconds)} for {batch} (× {one.faster.value:.2f}"
        f"{', the dense shapes' if one.dense else '' if one.faster.real else ', not real'})"
        for batch, one in sorted(spot.timed.items())
    ]
    said = (
        f"{spot.title}: {100 * spot.accuracy:.2f} % {found.split}{seeds}; {100 * spot.test:.2f} % test. "
        f"{words.size(spot.bytes)}, {found.original.bytes / spot.bytes:.1f} times smaller; "
        f"{words.count(spot.macs)} multiplications. "
    )
    said += (
        f"Time where the results were made, one thread: {', '.join(times)}. "
        if times
        else "Its time was not measured. "
    )
    if any(step.train is not None for step in (*spot.point.keep, spot.point)):
        said += "The shipped network was trained; what opens is not yet: press Fine-tune. "
    return {"text": f"{said}Again: labkit again {spot.key}", "key": spot.key}


def _dot(spot: Spot, cost: str) -> dict:
    place = _place(spot, cost)
    return {"x": place[0], "y": place[1], "key": spot.key, "text": spot.title}


def _place(spot: Spot, cost: str) -> list[float]:
    return [float(f"{spot.cost(cost):.4g}"), round(100 * spot.accuracy, 2)]


def _text(found: Map, known: Sequence[Spot], cost: str, low: int) -> str:
    name = f"{found.network} on {found.data}"
    one, two = (best(part, cost) for part in (single(known), [spot for spot in known if spot.theme == TWO]))
    said = [f"{name}: {len(known)} points, {low} of them below the plot. Accuracy against {COSTS[cost]}."]
    for title, line in (("one theme", one), ("two themes", two)):
        if line:
            said.append(f"Best of {title}: {'; '.join(label(spot, cost) for spot in line[-4:])}.")
    missing = len(found.spots) - len([spot for spot in found.spots if spot.cost(cost) is not None])
    if missing:
        said.append(f"{missing} points have no time: of batches of {BATCHES[0]} and {BATCHES[1]} none was measured.")
    return " ".join(said)
