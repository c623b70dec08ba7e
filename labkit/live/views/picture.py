"""The method's own picture, made small enough for the wire."""

from __future__ import annotations

import base64
import math

import numpy as np

from labkit.methods import Picture

POINTS = 128  # of a histogram or a spectrum
MARKS = 64
PIXELS = 1600  # of all matrices, filters and images together
BARS = 40
LETTERS = 24  # of a bar's name


NONE = "This method has no picture of this layer."


def picture(shown: Picture | None, title: str = "What the method did", none: str = NONE) -> dict:
    """Return a picture as JSON data; for None its title, and in words why there is none."""
    if shown is None:
        return {"kind": "none", "title": title, "text": none}
    view = {"kind": shown.kind, "title": shown.title, "x": shown.x, "y": shown.y, "text": shown.text}
    return view | _DRAW.get(shown.kind, _curve)(np.asarray(shown.values), shown)


def blocks(matrix: np.ndarray, most: int = PIXELS) -> np.ndarray:
    """Average a matrix in square blocks, as small as so many cells allow.

    >>> blocks(np.eye(80)).shape, float(blocks(np.eye(80))[0, 0])
    ((40, 40), 0.5)
    """
    step = math.ceil(math.sqrt(matrix.size / most))
    while math.prod(math.ceil(side / step) for side in matrix.shape) > most:
        step += 1
    rows, columns = (np.arange(0, side, step) for side in matrix.shape)
    sums = np.add.reduceat(np.add.reduceat(matrix, rows, 0), columns, 1)
    heights, widths = (np.diff([*starts, side]) for starts, side in zip((rows, columns), matrix.shape, strict=True))
    return sums / np.outer(heights, widths)


def _histogram(values: np.ndarray, shown: Picture) -> dict:
    edges = np.asarray(shown.edges, dtype=float)
    while len(values) > POINTS:  # neighbours share a bar
        if len(values) % 2:
            values, edges = np.append(values, 0), np.append(edges, 2 * edges[-1] - edges[-2])
        values, edges = values.reshape(-1, 2).sum(1), edges[::2]
    ends = {"from": _short(edges[0]), "to": _short(edges[-1])}
    return {"values": [int(value) for value in values], **ends, "marks": _marks(shown)}


def _curve(values: np.ndarray, shown: Picture) -> dict:
    step = -(-len(values) // POINTS)
    return {"values": [_short(v) for v in values[::step]], "step": step, "marks": _marks(shown)}


def _spectrum(values: np.ndarray, shown: Picture) -> dict:
    view = _curve(values, shown)
    if shown.share is not None:
        percent = 100 * np.asarray(shown.share)
        view |= {"share": [_short(part) for part in percent[:: view["step"]]]}
        view |= {"kept": _short(percent[int(shown.marks[0]) - 1])} if len(shown.marks) else {}
    return view


def _bars(values: np.ndarray, shown: Picture) -> dict:
    """Send the first bars, the end of each name: that tells layers apart."""
    few = {} if len(values) <= BARS else {"x": f"{shown.x} (the first {BARS} of {len(values)})"}
    names = [name if len(name) <= LETTERS else f"…{name[1 - LETTERS :]}" for name in shown.labels[:BARS]]
    bars = {"values": [_short(value) for value in values[:BARS]], "names": names}
    return bars | {"marks": [_short(mark) for mark in shown.marks[:BARS]]} | few


def _codes(values: np.ndarray, shown: Picture) -> dict:
    """Send the codes as points, those that share both numbers once, rare and frequent ones alike."""
    points = sorted({(_short(share), int(length)) for share, length in zip(values, shown.marks, strict=True)})
    step = max(1, -(-len(points) // MARKS))
    kept = points[::step] if points[-1] in points[::step] else [*points[::step], points[-1]]
    return {"values": [share for share, _ in kept], "marks": [length for _, length in kept]}


def _marks(shown: Picture) -> list[float]:
    marks = np.asarray(shown.marks).flatten()
    return [_short(mark) for mark in marks[:: max(1, -(-len(marks) // MARKS))]]


def _matrix(values: np.ndarray, shown: Picture) -> dict:
    step = max(1, int(np.ceil(np.sqrt(values.size / PIXELS))))
    return _bytes(values[::step, ::step][None], rows=values.shape[0], columns=values.shape[1])


def _tiles(values: np.ndarray, shown: Picture) -> dict:
    values = values[: max(1, PIXELS // values[0].size)]
    marks = [int(mark) for mark in shown.marks if mark < len(values)]
    return _bytes(values, rows=values.shape[1], columns=values.shape[2]) | {"marks": marks}


def _pairs(values: np.ndarray, shown: Picture) -> dict:
    """Send tiles in the order before, after, before, after."""
    values = values[: max(1, PIXELS // values[0].size)]
    return _bytes(values.reshape(-1, *values.shape[2:]), rows=values.shape[2], columns=values.shape[3])


def _mask(values: np.ndarray, shown: Picture) -> dict:
    values = values.reshape(-1, *values.shape[-2:])
    least = values.max() / 127  # one step above none: what is left must not round to nothing
    values = np.where(values > 0, np.maximum(values, least), 0)
    return _bytes(values, rows=values.shape[1], columns=values.shape[2])


def _bytes(values: np.ndarray, rows: int, columns: int) -> dict:
    """Send numbers as one byte each, 128 for zero, so that the colour of zero is always the same."""
    top = float(np.abs(values).max()) or 1.0
    whole = np.round(values / top * 127 + 128).astype(np.uint8)
    return {
        "shape": list(whole.shape),
        "top": _short(top),
        "rows": rows,
        "columns": columns,
        "bytes": base64.b64encode(whole.tobytes()).decode(),
    }


def _short(value: float) -> float:
    return float(f"{float(value):.4g}")


_DRAW = {
    "histogram": _histogram,
    "spectrum": _spectrum,
    "bars": _bars,
    "codes": _codes,
    "matrix": _matrix,
    "mask": _mask,
    "filters": _tiles,
    "images": _tiles,
    "pairs": _pairs,
}
