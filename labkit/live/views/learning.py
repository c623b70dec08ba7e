"""Accuracy while the latest training run went on: a line for the chosen method, and one for each beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from labkit.live.views import words

NAME = "learning curves"


@dataclass
class Learning:
    """The shares of the run at which was measured, and the accuracies there (0 to 1), by method."""

    shares: list[float] = field(default_factory=list)
    lines: dict[str, list[float]] = field(default_factory=dict)

    def note(self, share: float, accuracies: dict[str, float]) -> None:
        """Add what is known at a share of the run."""
        self.shares.append(share)
        for name, accuracy in accuracies.items():
            self.lines.setdefault(name, []).append(accuracy)


def learning(run: Learning, reference: float, split: str) -> dict:
    """Return the lines over the share of the run; `reference` is the accuracy of the original network."""
    if not run.shares:
        return {"kind": "none", "title": "Learning curves", "text": "Nothing was trained yet: press Fine-tune."}
    said = "; ".join(f"{name} {words.percent(values[-1])}" for name, values in run.lines.items())
    done = f"{100 * run.shares[-1]:.0f} %"
    return {
        "kind": "lines",
        "title": f"The latest training run, {done} done",
        "x": "done, % of the steps",
        "y": f"accuracy, % ({split}, estimates)",
        "shown": [f"{100 * share:.0f}" for share in run.shares],
        "strong": "right",
        "whole": round(100 * reference, 1),
        "lines": [
            {"name": name, "values": [round(100 * value, 1) for value in values]} for name, values in run.lines.items()
        ],
        "text": f"Learning curves, {done} of the steps done. {said}. The original has {words.percent(reference)}.",
    }
