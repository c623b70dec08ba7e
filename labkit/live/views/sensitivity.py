"""What each layer tolerates alone: accuracy against the knob, a line for each layer."""

from __future__ import annotations

from labkit.live.scan import Scan
from labkit.methods import Knob
from labkit.sensitivity import Curves, mild_to_strong, strongest

NAME = "sensitivity"
POINT = 0.01  # one percentage point


def sensitivity(scan: Scan, split: str) -> dict:
    """Return the lines as far as they are known, over the numbers of the knob's values."""
    if scan.failed:
        return {"kind": "none", "title": "Each layer alone", "text": f"{scan.failed.rstrip('.')}."}
    curves, knob = scan.curves, scan.knob
    values = axis(knob, curves)
    progress = "" if scan.complete else ", filling in"
    title = f"Each layer alone: {len(scan.points)} points{progress}"
    basis = f"Estimates from at least {scan.images:,} pictures each."
    return {
        "kind": "lines",
        "title": title,
        "x": knob.label,
        "y": f"accuracy, % ({split}, estimates)",
        "shown": [knob.show(value) for value in values],
        "strong": "right" if mild_to_strong(knob) == knob.values else "left",
        "whole": _percent(scan.reference),
        "lines": [line(name, curve, values) for name, curve in curves.items()],
        "text": f"{title}. {words(curves, knob, scan.reference)} {basis}",
    }


def axis(knob: Knob, curves: Curves) -> list[float]:
    """List the values to show: those of the knob as far as the layers' own knobs reach, and those of these."""
    seen = {value for curve in curves.values() for value in curve}
    if not seen:
        return list(knob.values)
    between = {value for value in knob.values if min(seen) <= value <= max(seen)}
    return sorted(between | seen, reverse=knob.values[0] > knob.values[-1])


def line(name: str, curve: dict[float, float], values: list[float]) -> dict:
    """Return the accuracies of a layer along the axis, None where they are not known."""
    return {"name": name, "values": [_percent(curve[value]) if value in curve else None for value in values]}


def words(curves: Curves, knob: Knob, reference: float) -> str:
    """Say for each layer the strongest value at which it loses at most one point."""
    if not curves:
        return "Nothing is known yet."
    held = strongest(curves, POINT, reference)
    said = "; ".join(f"{layer} {knob.show(value)}" for layer, value in held.items())
    return f"Alone, a layer loses at most one point up to: {said}."


def _percent(share: float) -> float:
    return round(100 * share, 1)
