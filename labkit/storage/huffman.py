"""Huffman's code: often used symbols get short codewords, and no code of whole bits is shorter.

A symbol i that makes up the share p_i of a text gets a codeword of l_i bits. The text then takes

    L = sum_i p_i l_i  bits a symbol,   H <= L < H + 1,   H = -sum_i p_i log2 p_i  (the entropy).

Huffman (1952, huffman1952) found the best lengths: merge the two rarest symbols into one, again and
again; each merge makes the codewords of all that it holds one bit longer. No codeword begins another
one (Kraft: sum_i 2^-l_i = 1), so a text needs no commas.

Only the lengths are stored. The codewords follow from them by the canonical rule: count upwards
through the symbols, ordered by length and then by number. Cost: O(k log k) for k symbols to build,
O(n) to encode and decode a text of n, all n at once.
"""

from __future__ import annotations

import heapq
import math

import numpy as np

from labkit.storage.errors import FileError

LONGEST = 20  # bits of a codeword at most: the decoder's table has 2^20 entries
PART = 1 << 18  # symbols encoded at once
CHUNK = 1 << 13  # bytes decoded at once: their tables stay in the processor's cache
DOUBLINGS = 5  # the decoder walks in steps of 2^5 codewords


def entropy(counts: np.ndarray) -> float:
    """Return the entropy H of a text in bits a symbol, given how often each symbol occurs.

    >>> entropy(np.array([2, 1, 1]))
    1.5
    """
    counts = counts[counts > 0]
    total = float(counts.sum())
    return max(0.0, math.log2(total) - float(counts @ np.log2(counts)) / total)  # rounding may give -4e-16


def code_lengths(counts: np.ndarray) -> np.ndarray:
    """Return the length of each symbol's codeword in bits; 0 for a symbol that does not occur.

    Raises ValueError where fewer than two symbols occur: such a text needs no code.

    >>> code_lengths(np.array([5, 1, 0, 2])).tolist()
    [1, 2, 0, 2]
    """
    present = np.flatnonzero(counts)
    if len(present) < 2:
        raise ValueError("a Huffman code needs at least two symbols that occur")
    rates = counts[present].astype(np.int64)
    lengths = np.zeros(len(counts), np.uint8)
    depths = _depths(rates.tolist())
    while max(depths) > LONGEST:  # flatter counts give a flatter tree
        rates = (rates + 1) // 2
        depths = _depths(rates.tolist())
    lengths[present] = depths
    return lengths


def _depths(counts: list[int]) -> list[int]:
    """Merge the two rarest until one tree is left; return how deep each symbol lies in it."""
    heap = [(count, node) for node, count in enumerate(counts)]
    heapq.heapify(heap)
    parents = [0] * (2 * len(counts) - 1)
    for parent in range(len(counts), len(parents)):
        count, node = heapq.heappop(heap)
        other_count, other = heap[0]
        heapq.heapreplace(heap, (count + other_count, parent))
        parents[node] = parents[other] = parent
    depths = [0] * len(parents)
    for node in range(len(parents) - 2, -1, -1):
        depths[node] = depths[parents[node]] + 1
    return depths[: len(counts)]


def text_bits(counts: np.ndarray, lengths: np.ndarray) -> int:
    """Return the bits of the whole text, n L, without encoding it."""
    return int(np.dot(counts, lengths.astype(np.int64)))


def canonical(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the symbols in the order of their codewords, and those codewords, left-aligned to the longest.

    Raises FileError unless the lengths are those of a whole code (Kraft's sum is exactly 1).

    >>> symbols, codewords = canonical(np.array([1, 2, 0, 2]))
    >>> symbols.tolist(), [f"{codeword:02b}" for codeword in codewords]
    ([0, 1, 3], ['00', '10', '11'])
    """
    lengths = lengths.astype(np.int64)
    symbols = np.flatnonzero(lengths)
    symbols = symbols[np.argsort(lengths[symbols], kind="stable")]
    longest = int(lengths.max(initial=0))
    if len(symbols) < 2 or longest > LONGEST:
        raise FileError("a Huffman code has fewer than two symbols or too long codewords")
    spans = 1 << (longest - lengths[symbols])  # how many windows of `longest` bits begin with the codeword
    if int(spans.sum()) != 1 << longest:
        raise FileError("the lengths of a Huffman code do not fit together")
    return symbols, np.cumsum(spans) - spans


def encode(text: np.ndarray, lengths: np.ndarray) -> bytes:
    """Write a text of symbols, the highest bit of each codeword first.

    >>> encode(np.array([0, 3, 0, 1]), np.array([1, 2, 0, 2])).hex()
    '68'
    """
    symbols, codewords = canonical(lengths)
    longest = int(lengths.max())
    codes = np.zeros(len(lengths), np.uint32)
    codes[symbols] = codewords
    bits = np.zeros(text_bits(np.bincount(text, minlength=len(lengths)), lengths), np.uint8)
    at = 0
    for first in range(0, len(text), PART):
        part = text[first : first + PART]
        words, sizes = codes[part], lengths[part]
        ends = at + np.cumsum(sizes, dtype=np.int64)
        starts, at = ends - sizes, int(ends[-1])
        for place in range(longest):  # bit number `place` of all codewords that are long enough
            if place:
                longer = sizes > place
                words, starts, sizes = words[longer], starts[longer], sizes[longer]
            bits[starts + place] = (words >> np.uint32(longest - 1 - place)) & np.uint32(1)
    return np.packbits(bits).tobytes()


def decode(data: bytes, lengths: np.ndarray, count: int) -> np.ndarray:
    """Read a text of `count` symbols; raise FileError unless it ends with the data.

    Where a codeword begins is known only when the one before is read. So for every bit the decoder
    looks up where the next codeword would begin if one began here, then doubles that to 2, 4, … 32
    codewords ahead, walks in steps of 32, and fills in the beginnings between.

    >>> decode(bytes.fromhex("68"), np.array([1, 2, 0, 2]), 4).tolist()
    [0, 3, 0, 1]
    """
    symbols, codewords = canonical(lengths)
    longest = int(lengths.max())
    if count > 8 * len(data):
        raise FileError(f"{count} symbols cannot be coded in {len(data)} bytes")
    spans = np.diff(codewords, append=1 << longest)
    length_at = np.repeat(lengths[symbols].astype(np.uint8), spans)
    symbol_at = np.repeat(symbols.astype(np.int32), spans)
    padded = np.frombuffer(data + bytes(4), np.uint8)
    found, missing, start = [], count, 0
    for first in range(0, len(data), CHUNK):
        if not missing:
            break
        windows = _windows(padded[first : first + CHUNK + 4], longest)
        steps = length_at[windows]
        begins, beyond = _beginnings(steps, start)
        begins = begins[:missing]
        found.append(symbol_at[windows[begins]])
        missing -= len(begins)
        end = 8 * first + (int(begins[-1]) + int(steps[begins[-1]]) if len(begins) else start)
        start = beyond - len(windows)
    text = np.concatenate(found) if found else np.zeros(0, np.int32)
    if missing or (end + 7) // 8 != len(data) if count else data:
        raise FileError("a Huffman-coded text does not end where it should")
    return text


def _windows(padded: np.ndarray, longest: int) -> np.ndarray:
    """Return for each bit, as a number, the `longest` bits that begin there."""
    high = padded.astype(np.uint32)
    words = high[:-4] << 24 | high[1:-3] << 16 | high[2:-2] << 8 | high[3:-1]
    return ((words[:, None] << np.arange(8, dtype=np.uint32)) >> np.uint32(32 - longest)).ravel()


def _beginnings(steps: np.ndarray, start: int) -> tuple[np.ndarray, int]:
    """Follow the steps from `start`; return where codewords begin, and the first beginning beyond."""
    size = len(steps)
    ahead = np.arange(size + LONGEST + 1, dtype=np.int32)  # from beyond the end nothing goes on
    ahead[:size] += steps
    jumps = [ahead]
    for _ in range(DOUBLINGS):
        jumps.append(jumps[-1][jumps[-1]])
    anchors, far = [], jumps[-1]
    while start < size:
        anchors.append(start)
        start = int(far[start])
    begins = np.array(anchors, np.int32)
    for jump in reversed(jumps[:-1]):
        begins = np.stack([begins, jump[begins]], axis=1).ravel()
    return begins[begins < size], start
