"""Floating point numbers as bytes: as they are, in a narrower format that is exact, or as codes into a table.

A stream begins with its form. Narrowing is exact when widening again gives the same bits, the sign
of -0.0 and the payload of a NaN included; otherwise the numbers stay as they are. `TABLE` lists the
numbers that occur, each once and narrowed, and then says for each place which of them stands there:

    bytes = 2 + k * width + n * (bits of a code) / 8  for n numbers of which k differ.

A bias that training has left with eight values takes three bits a number, instead of 32.
"""

from __future__ import annotations

import numpy as np

from labkit.storage import symbols
from labkit.storage.bits import Bytes, varint
from labkit.storage.errors import FileError
from labkit.storage.integers import Plan

AS_IS, FLOAT16, BFLOAT16, FLOAT32, TABLE = range(5)
_BITS = {2: np.uint16, 4: np.uint32, 8: np.uint64}
_PROBE = 64  # so many numbers nearly always tell that a format is too narrow
_SAMPLE = 24  # so many numbers, most of them different, tell that no table will pay
LONGEST = 1 << 12  # numbers with a table: of more, a Codebook tells which are equal, and sorting takes time


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
        if not (back.view(bits) == part.view(bits)).all():
            return False
    return True


def plan(numbers: np.ndarray) -> Plan:
    """Choose the shortest exact form for numbers (n,) of float64, float32, or 16 bits of either kind.

    >>> plan(np.array([0.5, 0.25], np.float32)).size, plan(np.array([0.1, 0.2] * 500, np.float32)).size
    (5, 137)
    """
    if not len(numbers):
        return Plan(0, bytes)
    if len(numbers) <= LONGEST and _repeats(numbers):
        return min(_plan_table(numbers), _plan_each(numbers), key=lambda choice: choice.size)
    return _plan_each(numbers)


def _plan_each(numbers: np.ndarray) -> Plan:
    """Plan to write number after number, in the narrowest exact format."""
    for form, width in _narrower(numbers.dtype):
        if fits(numbers, form):
            return Plan(1 + width * len(numbers), lambda form=form: bytes([form]) + narrow(numbers, form).tobytes())
    return Plan(1 + numbers.nbytes, lambda: bytes([AS_IS]) + numbers.tobytes())


def _repeats(numbers: np.ndarray) -> bool:
    """Say whether a sample of the numbers gives hope for a table."""
    sample = numbers[:_SAMPLE].tolist()
    return 3 * len(set(sample)) <= 2 * len(sample)


def _plan_table(numbers: np.ndarray) -> Plan:
    """Plan a table of the numbers that occur, told apart and ordered by their bits, and codes into it."""
    different, codes = np.unique(numbers.view(_BITS[numbers.itemsize]), return_inverse=True)
    table = _plan_each(different.view(numbers.dtype))
    coding = symbols.choose(np.bincount(codes))
    head = bytes([TABLE]) + varint(len(different))
    return Plan(len(head) + table.size + coding.size, lambda: head + table.encode() + coding.encode(codes))


def decode(data: bytes, count: int, dtype: np.dtype) -> np.ndarray:
    """Read `count` numbers; raise FileError for a stream that `plan` could not have written."""
    if not count:
        return np.zeros(0, dtype)
    stream = Bytes(data)
    if data[:1] == bytes([TABLE]):
        return _read_table(stream, count, dtype)
    found = _read_each(stream, count, dtype)
    if len(stream):
        raise FileError(f"{count} numbers do not take {len(data)} bytes")
    return found


def _read_each(stream: Bytes, count: int, dtype: np.dtype) -> np.ndarray:
    form = stream.byte()
    widths = {AS_IS: dtype.itemsize, **dict(_narrower(dtype))}
    if form not in widths:
        raise FileError(f"numbers of form {form} do not exist here")
    stored = {AS_IS: dtype, FLOAT16: np.float16, BFLOAT16: np.uint16, FLOAT32: np.float32}[form]
    raw = np.frombuffer(stream.take(count * widths[form]), stored)
    return raw if form == AS_IS else widen(raw, form, dtype)


def _read_table(stream: Bytes, count: int, dtype: np.dtype) -> np.ndarray:
    stream.byte()
    different = stream.varint()
    if not 1 <= different <= count <= LONGEST:
        raise FileError(f"{count} numbers cannot have a table of {different}")
    table = _read_each(stream, different, dtype)
    codes = symbols.decode(stream, count)
    if int(codes.max()) >= different:
        raise FileError("a code points past the end of its table")
    return table[codes]


def _narrower(dtype: np.dtype) -> list[tuple[int, int]]:
    """List the narrower formats and their bytes, the shortest first."""
    if dtype == np.float32:
        return [(FLOAT16, 2), (BFLOAT16, 2)]
    return [(FLOAT16, 2), (FLOAT32, 4)] if dtype == np.float64 else []
