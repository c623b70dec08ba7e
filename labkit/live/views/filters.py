"""The weights themselves: what they were in the original, and what the compressed network computes with now."""

from __future__ import annotations

import math

import numpy as np
import torch

from labkit import layers
from labkit.live.result import Result, Subject
from labkit.live.views.picture import PIXELS, blocks, picture
from labkit.methods import Picture

NAME = "filters"
TITLE = "The weights, before and after"
CELLS = PIXELS // 2  # of what was, and as many of what is
KERNELS, ROWS, UNITS = 40, 20, 4


def filters(subject: Subject, result: Result) -> dict:
    """Return the picture of the chosen layer, or of the first one whose weights changed; words where there is none."""
    before, after = layers.layers(subject.base.model), layers.layers(result.model)
    place = result.choice.where or "this network"
    none = f"No weight of {place} differs from the original."
    for path in [result.choice.where] if result.choice.where in before else before:
        was, now = weight(before[path]), weight(after[path]) if path in after else np.empty(0)
        if was.shape != now.shape:
            none = f"{place} is thinner than the original: its filters have no partners to stand beside."
        elif not np.array_equal(was, now):
            if np.isfinite(was).all() and np.isfinite(now).all():
                return picture(draw(was, now, path, _pixels(subject, path, was)))
            none = f"{path} holds NaN or infinite numbers, which have no colour."
    return picture(None, TITLE, none)


def _pixels(subject: Subject, path: str, was: np.ndarray) -> tuple[int, int, int] | None:
    """Return the shape of the picture that a layer reads, if it is the first one and fully connected."""
    shape = subject.data.image_shape
    reads = path == next(iter(layers.layers(subject.base.model))) and was.shape[1:] == (math.prod(shape),)
    return shape if reads else None


@torch.no_grad()
def weight(layer: layers.Layer) -> np.ndarray:
    """Return the dense weight that a layer computes with."""
    return layer.weight().float().cpu().numpy()


def draw(was: np.ndarray, now: np.ndarray, name: str, pixels: tuple[int, int, int] | None = None) -> Picture:
    """Put a weight `now` (out, in, ...) below what it `was`, in at most `CELLS` cells each, on one scale of colours.

    A layer of units that read a picture of `pixels` (channels, height, width) shows units as such pictures, a
    convolution its kernels, evenly spaced where there are too many; everything else is drawn as a matrix.
    """
    error = relative_error(was, now)
    both = np.stack([was, now], 1)  # (out, 2, in, ...)
    if pixels:
        tiles, said = _units(both.reshape(len(was), 2, *pixels).mean(2))
    elif was.ndim == 4 and 1 < was[0, 0].size <= CELLS:
        tiles, said = _kernels(both.swapaxes(1, 2).reshape(-1, 2, *was.shape[2:]))
    else:
        tiles, said = _matrix(both.reshape(len(was), 2, -1))
    title = f"{name}: relative error ‖W − W′‖ / ‖W‖ =\u00a0{100 * error:.1f}\u00a0%"  # the number stays on one line
    return Picture(
        kind="pairs",
        title=title,
        x=said,
        y="",
        values=tiles,
        text=f"{title}. The original above, what the network computes with now below: {said}. The numbers reach "
        f"from {was.min():.3g} to {was.max():.3g} in the original, from {now.min():.3g} to {now.max():.3g} now.",
    )


def draw_pair(was: np.ndarray, now: np.ndarray, title: str, what: str) -> Picture:
    """Put a matrix `now` below what it `was`, on one scale of colours; `what` says what an entry is."""
    tiles, said = _matrix(np.stack([was, now], 1))
    text = f"{title}. The original above, now below: {said}. An entry is {what}."
    return Picture(kind="pairs", title=title, x=said, y="", values=tiles, text=text)


def relative_error(was: np.ndarray, now: np.ndarray) -> float:
    """Return the norm of the difference over that of the original; infinite where the original is zero.

    >>> relative_error(np.array([3.0, 4.0]), np.array([0.0, 4.0]))
    0.6
    """
    norm = float(np.linalg.norm(was))
    return float(np.linalg.norm(was - now)) / norm if norm else math.inf


def _units(pictures: np.ndarray) -> tuple[np.ndarray, str]:
    """Take a few units (units, 2, height, width), averaged in square blocks where their pictures are large."""
    shown = pictures[_spaced(len(pictures), UNITS)]
    cells = np.stack([[blocks(picture, CELLS // UNITS) for picture in pair] for pair in shown])
    step = math.ceil(pictures.shape[-1] / cells.shape[-1])
    averaged = f", averaged {step} x {step}" if step > 1 else ""
    return cells, f"{_of(len(shown), len(pictures), 'units')}{averaged}"


def _kernels(kernels: np.ndarray) -> tuple[np.ndarray, str]:
    shown = kernels[_spaced(len(kernels), min(KERNELS, CELLS // kernels[0, 0].size))]
    return shown, _of(len(shown), len(kernels), "kernels")


def _matrix(both: np.ndarray) -> tuple[np.ndarray, str]:
    """Take rows and columns of a matrix (out, 2, in), evenly spaced."""
    rows = _spaced(len(both), ROWS)
    columns = _spaced(both.shape[2], CELLS // len(rows))
    said = f"{_of(len(rows), len(both), 'rows')}, {_of(len(columns), both.shape[2], 'columns')}"
    return both[rows][:, :, columns].swapaxes(0, 1)[None], said


def _spaced(count: int, most: int) -> np.ndarray:
    """Choose at most so many numbers below a count, evenly spaced from the first to the last."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def _of(shown: int, count: int, what: str) -> str:
    return f"all {count:,} {what}" if shown == count else f"{shown:,} of {count:,} {what}"
