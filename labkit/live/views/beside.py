"""Where the other methods are at the same value of the knob."""

from __future__ import annotations

from labkit.live.beside import Beside
from labkit.live.result import Result
from labkit.live.views import words


def beside(others: Beside) -> dict:
    """Return a point for each other method; `late` is one that still stands at the knob's last value."""
    present, order = others.present, list(others.bench.methods)
    points = [
        _point(title, result, order.index(title), title not in present) for title, result in others.results.items()
    ]
    said = "; ".join(
        f"{title} {words.percent(result.best.value)} at {words.size(result.size.total)}"
        for title, result in present.items()
    )
    return {"points": points, "text": f"At the same value: {said}." if said else ""}


def _point(title: str, result: Result, mark: int, late: bool) -> dict:
    """Describe a point; `mark` is the method's number in the panel, so that it keeps its symbol."""
    best = result.best
    return {
        "name": title,
        "mark": mark,
        "now": [result.size.total, *(round(100 * share, 2) for share in (best.value, best.low, best.high))],
        "estimate": not result.complete,
        "late": late,
    }
