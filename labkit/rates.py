"""The survey's three figures of merit (Cheng et al., section VI): rate, saving and speed-up."""

from __future__ import annotations

import math


def compression_rate(original: float, compressed: float) -> float:
    """The survey's compression rate, alpha = a / a*, of parameters or of bytes.

    >>> compression_rate(1200, 100)
    12.0
    """
    return _positive("original", original) / _positive("compressed", compressed)


def space_saving(original: float, compressed: float) -> float:
    """The share of the space that was saved, (a - a*) / a = 1 - 1 / alpha: what the survey must have meant.

    >>> round(space_saving(1200, 100), 3)
    0.917
    """
    return 1 - _positive("compressed", compressed) / _positive("original", original)


def space_saving_as_printed(original: float, compressed: float) -> float:
    """The survey's index space saving as it is printed, beta = (a - a*) / a* = alpha - 1, which is no share.

    >>> space_saving_as_printed(1200, 100)
    11.0
    """
    return (_positive("original", original) - compressed) / _positive("compressed", compressed)


def speed_up(original: float, compressed: float) -> float:
    """The survey's speed-up, delta = s / s*, of two running times in the same unit.

    >>> speed_up(3.0, 1.5)
    2.0
    """
    return _positive("original", original) / _positive("compressed", compressed)


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is {value}, but must be above 0 and finite")
    return value
