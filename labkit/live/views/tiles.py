"""Five tiles with the numbers: accuracy, file, bits per weight, multiplications, time."""

from __future__ import annotations

import math

import torch

from labkit import layers
from labkit.codes import code_tables
from labkit.live.result import Result, Subject
from labkit.live.views import words
from labkit.measure import parameters

SAME = 0.05  # a ratio so near to 1 is none


def tiles(subject: Subject, result: Result, split: str) -> list[dict]:
    """Return label, value and note of each tile."""
    return [
        accuracy(subject, result, split),
        {
            "label": "saved file",
            "value": words.size(result.size.total),
            "note": _against(subject.size.total / result.size.total, "smaller", "larger"),
        },
        code_length(subject, result),
        multiplications(subject, result),
        time(subject, result),
    ]


def accuracy(subject: Subject, result: Result, split: str) -> dict:
    """Show the accuracy with its 95 % interval, and the change against the original."""
    best, reference = result.best, subject.evaluator.reference.value
    half = (best.high - best.low) / 2
    about = "" if result.complete else "≈ "
    return {
        "label": f"accuracy ({split}{'' if result.complete else ', estimate'})",
        "value": about + words.percent(best.value),
        "note": f"± {100 * half:.1f} · {words.points(best.value - reference)}",
    }


def code_length(subject: Subject, result: Result) -> dict:
    """Show the file's bits for each weight of the original, and the entropy of the codes where there are codes."""
    weights = sum(math.prod(layer.weight.shape) for layer in layers.layers(subject.base.model).values())
    bits = 8 * result.size.total / weights
    entropy = code_entropy(result.model)
    stored = parameters(result.model)
    note = f"{words.count(stored)} numbers" if entropy is None else f"code entropy {entropy:.2f}"
    return {"label": "file bits per weight", "value": f"{words.figures(bits)} bit", "note": note}


def code_entropy(model: torch.nn.Module) -> float | None:
    """Average the entropy of all codes, in bits for each code; None where nothing has codes.

    No code that treats each number by itself is shorter (Shannon 1948).
    """
    tables = list(code_tables(model))
    total = sum(int(table.counts.sum()) for table in tables)
    return sum(table.entropy * int(table.counts.sum()) for table in tables) / total if total else None


def multiplications(subject: Subject, result: Result) -> dict:
    """Count the multiplications for one picture, which need not be what the clock says."""
    ratio = subject.macs / max(result.macs, 1)
    return {
        "label": "multiplications",
        "value": words.count(result.macs),
        "note": _against(ratio, "fewer, on paper", "more, on paper"),
    }


def time(subject: Subject, result: Result) -> dict:
    """Show the median time for one picture, measured on this machine."""
    tile = {"label": "time for one picture", "value": "…", "note": "measured at rest"}
    if result.faster is not None:
        real = result.faster.real and abs(result.faster.value - 1) >= SAME
        fewer = subject.macs / max(result.macs, 1) - 1 >= SAME
        same = "no faster, measured" if fewer else "no real difference"
        tile["value"] = words.seconds(result.seconds)
        tile["note"] = _against(result.faster.value, "faster, measured", "slower, measured") if real else same
    return tile


def _against(ratio: float, better: str, worse: str) -> str:
    """Say a ratio against the original.

    >>> _against(1.0, "fewer", "more"), _against(2.5, "fewer", "more"), _against(0.5, "faster", "slower")
    ('as the original', '2.50× fewer', '2.00× slower')
    """
    if abs(ratio - 1) < SAME:
        return "as the original"
    return f"{words.figures(ratio)}× {better}" if ratio > 1 else f"{words.figures(1 / max(ratio, 1e-9))}× {worse}"
