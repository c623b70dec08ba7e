"""What a panel shows, read back as plain data: for tests, exercises and the curious."""

from __future__ import annotations

from labkit.live.result import WHOLE
from labkit.live.stage import Stage


def of(stage: Stage) -> dict:
    """Return the choices and the numbers that are shown; only `alert` and `say` before the first result."""
    parts, result = dict(stage.parts), stage.result
    words = {"say": parts.get("say", {}).get("text", ""), "alert": parts.get("alert", "")}
    if result is None or "picture" not in parts:  # it may be known and not yet shown
        return words
    choice, best = result.choice, result.best
    return words | {
        "method": choice.method,
        "network": choice.network,
        "data": choice.data,
        "where": choice.where or WHOLE,
        "device": choice.device,
        "knob": choice.value,
        "values": list(stage.knob.values),
        "kept": list(result.base.kept),
        "tuned": result.tuned,
        "split": stage.bench.split,
        "accuracy": best.value,
        "low": best.low,
        "high": best.high,
        "estimate": not result.complete,
        "bytes": result.size.total,
        "layers": dict(result.size.parts),
        "macs": result.macs,
        "seconds": result.seconds,
        "picture": parts["picture"]["kind"],
        "flipped": [tuple(item) for item in parts.get("flips", {}).get("items", [])],
        "trail": parts["trail"],
        "beside": {
            title: {"accuracy": other.best.value, "bytes": other.size.total}
            for title, other in stage.beside.present.items()
        },
        "guess": stage.guess,
    }
