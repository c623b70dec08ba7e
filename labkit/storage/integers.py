"""Whole numbers as bytes: codes packed or Huffman-coded, ascending positions as gaps.

A stream begins with its form. `OFFSETS`: the smallest number, then each number's distance to it.
`GAPS`: how many zeros lie before each position. Gaps below the escape E are symbols of their own;
the symbol E says "skip E and go on", so that a few long gaps do not make all others expensive.
`COLUMNS`: the same, with the positions of a matrix counted down its columns: shorter where whole
columns are empty. The positions are a set, so they come back sorted, and nothing else moves.

With E = 1 the gaps are a bitmap, with a large E a list. The entropy tells which E are promising, and
the shortest stream is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from labkit.storage import symbols
from labkit.storage.bits import Bytes, unzigzag, varint, zigzag
from labkit.storage.errors import FileError

OFFSETS, GAPS, COLUMNS = range(3)
WIDEST_ESCAPE = 20  # bits
ESCAPES = 9  # escapes tried: one much below or above the mean gap cannot be best
BUILT = 2  # codes built for the escapes that promise most
LONG = 16  # escapes for each position at most
COUNTABLE = 1 << 16  # a histogram of up to so many cells is cheap


@dataclass(frozen=True)
class Plan:
    """How a tensor is written: its bytes, known at once, and the writing, for when it is needed."""

    size: int
    encode: Callable[[], bytes]


def plan(numbers: np.ndarray, grid: tuple[int, int] | None = None) -> Plan:
    """Choose the shortest form for whole numbers (n,); `grid` (rows, columns) says what positions point into.

    >>> plan(np.array([5, 5, 6, 5])).size, plan(np.arange(0, 8000, 8)).size < 300
    (4, True)
    """
    if not len(numbers):
        return Plan(0, bytes)
    if not _ascending(numbers):
        return plan_offsets(numbers)
    turnable = grid is not None and min(grid) > 1 and int(numbers[-1]) < grid[0] * grid[1]
    largest = grid[0] * grid[1] if turnable else int(numbers[-1])
    positions = numbers.astype(np.int32 if largest < 2**31 - 1 else np.int64)  # half as wide is twice as fast
    folds = list(_folds(positions, bytes([GAPS])))
    if turnable:
        turned = np.sort(_transpose(positions, grid))
        folds += _folds(turned, bytes([COLUMNS]) + varint(grid[0]) + varint(grid[1]))
    promising = sorted(folds, key=lambda fold: fold.least)[:BUILT]
    return min([plan_offsets(numbers), *(fold.plan() for fold in promising)], key=lambda choice: choice.size)


def plan_offsets(numbers: np.ndarray) -> Plan:
    """Plan numbers of any kind as their distances to the smallest."""
    low, high = int(numbers.min()), int(numbers.max())
    head = bytes([OFFSETS]) + varint(zigzag(low))

    def offsets() -> np.ndarray:
        # Modulo 2^64 the distance is right even between the ends of int64.
        return numbers.astype(np.int64).view(np.uint64) - np.uint64(low % 2**64) if low else numbers

    if high - low < symbols.MOST_SYMBOLS:
        counts = np.bincount(numbers if 0 <= low < COUNTABLE else offsets().astype(np.int64))
        coding = symbols.choose(counts[low:] if 0 <= low < COUNTABLE else counts)
    else:
        coding = symbols.packed(len(numbers), high - low)
    return Plan(len(head) + coding.size, lambda: head + coding.encode(offsets()))


@dataclass(frozen=True)
class Fold:
    """Gaps with one escape: the histogram of their symbols, and about the bytes that they take at least."""

    gaps: np.ndarray
    escape: int
    escapes: int
    counts: np.ndarray
    least: float
    head: bytes

    def plan(self) -> Plan:
        """Plan the stream."""
        coding = symbols.choose(self.counts)
        head = self.head + varint(self.escape) + varint(self.escapes)
        return Plan(len(head) + coding.size, lambda: head + coding.encode(_escaped(self.gaps, self.escape)))


def _folds(positions: np.ndarray, head: bytes) -> Iterator[Fold]:
    """Try escapes 2^b - 1 around the mean gap; what they cost follows from one histogram of the gaps."""
    gaps = np.diff(positions, prepend=-1) - 1
    sizes, counts = _histogram(gaps)
    mean = float(counts @ np.log2(sizes + 1.0)) / len(gaps)  # in bits: a few long gaps hardly move it
    for bits in range(max(1, int(mean)), WIDEST_ESCAPE + 1)[:ESCAPES]:
        escape = (1 << bits) - 1
        escapes = int((sizes // escape * counts).sum())
        if escapes > LONG * len(gaps):
            continue
        folded = _fold(sizes, counts, escape, escapes)
        equal = symbols.packed(len(gaps) + escapes, len(folded) - 1).size
        yield Fold(gaps, escape, escapes, folded, len(head) + min(equal, symbols.least_size(folded)), head)
        if escape > sizes[-1]:
            break


def decode(data: bytes, count: int) -> np.ndarray:
    """Read `count` whole numbers, as uint32, uint64 or int64."""
    if not count:
        return np.zeros(0, np.int64)
    stream = Bytes(data)
    form = stream.byte()
    if form == OFFSETS:
        low = unzigzag(stream.varint())
        offsets = symbols.decode(stream, count)
        return (offsets.astype(np.uint64) + np.uint64(low % 2**64)).view(np.int64) if low else offsets
    if form not in (GAPS, COLUMNS):
        raise FileError(f"whole numbers of form {form} do not exist")
    grid = (stream.varint(), stream.varint()) if form == COLUMNS else None
    positions = _read_gaps(stream, count)
    if grid is None:
        return positions
    if not 0 < grid[0] * grid[1] < 2**63 or int(positions[-1]) >= grid[0] * grid[1]:
        raise FileError("positions lie outside of their matrix")
    return np.sort(_transpose(positions, grid[::-1]))


def _read_gaps(stream: Bytes, count: int) -> np.ndarray:
    escape, escapes = stream.varint(), stream.varint()
    if not 0 < escape < 1 << WIDEST_ESCAPE or (escapes and count + escapes > 8 * len(stream)):
        raise FileError("gaps between positions are out of range")
    text = symbols.decode(stream, count + escapes).astype(np.int64)
    skips = text == escape
    if int(skips.sum()) != escapes or int(text.max()) > escape:
        raise FileError("gaps between positions do not fit their number")
    return (np.cumsum(text + ~skips) - 1)[~skips]


def _ascending(numbers: np.ndarray) -> bool:
    head = numbers[:64]
    return bool(numbers[0] >= 0 and (head[1:] > head[:-1]).all() and (numbers[1:] > numbers[:-1]).all())


def _transpose(positions: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Turn row-major positions in (rows, columns) into column-major ones."""
    return positions % grid[1] * grid[0] + positions // grid[1]


def _histogram(gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if int(gaps.max()) < COUNTABLE:
        counts = np.bincount(gaps)
        sizes = np.flatnonzero(counts)
        return sizes, counts[sizes]
    return np.unique(gaps, return_counts=True)


def _fold(sizes: np.ndarray, counts: np.ndarray, escape: int, escapes: int) -> np.ndarray:
    """Return how often each symbol occurs once long gaps are escaped; the last one occurs."""
    folded = np.bincount(sizes % escape, weights=counts, minlength=escape + 1 if escapes else 0).astype(np.int64)
    if escapes:
        folded[escape] = escapes
    return folded


def _escaped(gaps: np.ndarray, escape: int) -> np.ndarray:
    """Write each gap as escapes and a rest."""
    repeats = gaps // escape
    text = np.full(len(gaps) + int(repeats.sum()), escape, np.int64)
    text[np.cumsum(repeats + 1) - 1] = gaps % escape
    return text
