"""Accuracy against the bytes of the file: where this model stands, and where the finger has been."""

from __future__ import annotations

from dataclasses import dataclass, field

from labkit.live.result import Result, Subject
from labkit.live.views import words

TRAIL = 40  # points


@dataclass
class Trail:
    """The points that were visited, in series that a line connects."""

    points: dict = field(default_factory=dict)

    def visit(self, series: str, key: object, size: int, accuracy: float) -> None:
        """Put a point down, replacing what was known for the same key."""
        self.points.pop((series, key), None)
        self.points[series, key] = (size, round(100 * accuracy, 2))
        while len(self.points) > TRAIL:
            self.points.pop(next(iter(self.points)))

    def view(self) -> list[dict]:
        """Return each series with its points in the order of size, or of time while training."""
        series: dict[str, list] = {}
        for (name, _), point in self.points.items():
            series.setdefault(name, []).append(point)
        return [
            {"name": name, "points": points if name.startswith("fine-tuning") else sorted(points)}
            for name, points in series.items()
        ]


def tradeoff(subject: Subject, result: Result, split: str, guess: tuple[int, float] | None) -> dict:
    """Return the moving point with its interval, the original and the learner's guess."""
    best, original = result.best, subject.evaluator.reference.value
    point = [result.size.total, *(round(100 * share, 2) for share in (best.value, best.low, best.high))]
    text = (
        f"Accuracy against file size. Original: {words.percent(original)} at {words.size(subject.size.total)}. "
        f"Now: {words.percent(best.value)} at {words.size(result.size.total)}."
    )
    if guess:
        text += f" Your guess: {words.percent(guess[1])} at {words.size(guess[0])}."
    return {
        "original": [subject.size.total, round(100 * original, 2)],
        "now": point,
        "estimate": not result.complete,
        "guess": [guess[0], round(100 * guess[1], 2)] if guess else None,
        "split": split,
        "text": text,
    }
