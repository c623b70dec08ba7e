"""Floating point numbers as bytes: as they are, or in a narrower format that holds every one of them exactly.

A stream begins with its format. Narrowing is exact when widening again gives the same bits, the
sign of -0.0 and the payload of a NaN included; otherwise the numbers stay as they are.
"""

from __future__ import annotations

import numpy as np

from labkit.storage.bits import Bytes
from labkit.storage.errors import FileError
from labkit.storage.integers import Plan

AS_IS, FLOAT16, BFLOAT16, FLOAT32 = range(4)
_BITS = {2: np.uint16, 4: np.uint32, 8: np.uint64}
_PROBE = 64  # so many numbers nearly always tell that a format is too narrow


def narrow(numbers: np.ndarray, form: int) -> np.ndarray:
    """Return the numbers in a narrower format, as they would be stored."""
    if form == BFLOAT16:
        return (numbers.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return numbers.astype(np.float16 if form == FLOAT16 else np.float32)


def widen(stored: np.ndarray, form: int, dtype: np.dtype) -> np.ndarray:
    """Undo `narrow`."""
    if form == BFLOAT16:
        return (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
    with np.errstate(invalid="ignore"):
        return stored.astype(dtype)


def fits(numbers: np.ndarray, form: int) -> bool:
    """Say whether the narrower format holds these numbers bit for bit.

    >>> fits(np.array([0.5, -0.0], np.float32), FLOAT16), fits(np.array([0.1], np.float32), FLOAT16)
    (True, False)
    """
    bits = _BITS[numbers.itemsize]
    for part in (numbers[:_PROBE], numbers):
        back = widen(narrow(part, form), form, numbers.dtype)
        if not np.array_equal(back.view(bits), part.view(bits)):
            return False
    return True


def plan(numbers: np.ndarray) -> Plan:
    """Choose the shortest exact format for numbers (n,) of float64, float32, or 16 bits of either kind.

    >>> plan(np.array([0.5, 0.25], np.float32)).size
    5
    """
    if not len(numbers):
        return Plan(0, bytes)
    for form, width in _narrower(numbers.dtype):
        if fits(numbers, form):
            return Plan(1 + width * len(numbers), lambda form=form: bytes([form]) + narrow(numbers, form).tobytes())
    return Plan(1 + numbers.nbytes, lambda: bytes([AS_IS]) + numbers.tobytes())


def decode(data: bytes, count: int, dtype: np.dtype) -> np.ndarray:
    """Read `count` numbers of a format."""
    if not count:
        return np.zeros(0, dtype)
    stream = Bytes(data)
    form = stream.byte()
    widths = {AS_IS: dtype.itemsize, **dict(_narrower(dtype))}
    if form not in widths or len(stream) != count * widths[form]:
        raise FileError(f"{count} numbers of format {form} do not take {len(stream)} bytes")
    stored = {AS_IS: dtype, FLOAT16: np.float16, BFLOAT16: np.uint16, FLOAT32: np.float32}[form]
    raw = np.frombuffer(stream.rest(), stored)
    return raw if form == AS_IS else widen(raw, form, dtype)


def _narrower(dtype: np.dtype) -> list[tuple[int, int]]:
    """List the narrower formats and their bytes, the shortest first."""
    if dtype == np.float32:
        return [(FLOAT16, 2), (BFLOAT16, 2)]
    return [(FLOAT16, 2), (FLOAT32, 4)] if dtype == np.float64 else []
