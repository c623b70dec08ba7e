"""A text of symbols 0 to k - 1 as bytes: packed to equal bits, or Huffman-coded where that is shorter.

A stream of symbols begins with one byte: the bits of each symbol, or `HUFFMAN` and then the table
of codeword lengths. The table counts as part of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.storage import huffman
from labkit.storage.bits import Bytes, pack, packed_size, unary, unary_size, unpack, varint
from labkit.storage.errors import FileError

HUFFMAN = 255
MOST_SYMBOLS = 4096  # of a Huffman code; more seldom pay, and would slow the slider


@dataclass(frozen=True)
class Coding:
    """How a text is written, and how many bytes that takes: all known from a histogram."""

    size: int
    bits: int  # of each symbol, where they are packed
    lengths: np.ndarray | None = None  # of the codewords, where they are not

    def encode(self, text: np.ndarray) -> bytes:
        """Write the text."""
        if self.lengths is None:
            return bytes([self.bits]) + pack(text, self.bits)
        return bytes([HUFFMAN]) + write_table(self.lengths) + huffman.encode(text, self.lengths)


def packed(count: int, largest: int) -> Coding:
    """Return the coding with equal bits, as many as the largest number needs.

    >>> packed(10, 7).size
    5
    """
    bits = largest.bit_length()
    return Coding(1 + packed_size(count, bits), bits)


def choose(counts: np.ndarray) -> Coding:
    """Return the shorter coding for a text in which symbol i occurs counts[i] times, the last at least once.

    >>> choose(np.array([1000, 10, 10, 10])).size < packed(1030, 3).size
    True
    """
    total, equal = int(counts.sum()), packed(int(counts.sum()), len(counts) - 1)
    if len(counts) > MOST_SYMBOLS or np.count_nonzero(counts) < 2:
        return equal
    if least_size(counts) >= equal.size:
        return equal
    lengths = huffman.code_lengths(counts)
    size = 1 + table_size(lengths) + packed_size(1, huffman.text_bits(counts, lengths))
    return Coding(size, 0, lengths) if total and size < equal.size else equal


def least_size(counts: np.ndarray) -> float:
    """Return a number of bytes below which no Huffman coding of this text can fall."""
    present = int(np.count_nonzero(counts))
    mask = packed_size(len(counts), 1) if present < len(counts) else 0
    return 3 + mask + (huffman.entropy(counts) * float(counts.sum()) + present) / 8 - 1e-6


def decode(stream: Bytes, count: int) -> np.ndarray:
    """Read a text of `count` symbols from the rest of a stream."""
    bits = stream.byte()
    if bits == HUFFMAN:
        lengths = read_table(stream)
        return huffman.decode(stream.rest(), lengths, count)
    if bits > 64:
        raise FileError(f"symbols of {bits} bits do not exist")
    return unpack(stream.rest(), count, bits)


def _differences(lengths: np.ndarray) -> np.ndarray:
    """Neighbouring symbols have similar lengths: fold the differences onto 0, 1, 2, …"""
    change = np.diff(lengths.astype(np.int64), prepend=lengths[:1].astype(np.int64))
    return np.where(change >= 0, 2 * change, -2 * change - 1)


def table_size(lengths: np.ndarray) -> int:
    """Return the bytes that `write_table` takes."""
    present = lengths[lengths > 0]
    absent = len(present) < len(lengths)
    mask = packed_size(len(lengths), 1) if absent else 0
    return len(varint(2 * len(lengths) + absent)) + mask + 1 + unary_size(_differences(present))


def write_table(lengths: np.ndarray) -> bytes:
    """Write codeword lengths: how many, which symbols occur, the first length, then the differences in unary.

    >>> write_table(np.array([3, 3, 2, 1], np.uint8)).hex()
    '080328'
    """
    present = lengths[lengths > 0]
    absent = len(present) < len(lengths)
    mask = np.packbits(lengths > 0).tobytes() if absent else b""
    return varint(2 * len(lengths) + absent) + mask + bytes([present[0]]) + unary(_differences(present))


def read_table(stream: Bytes) -> np.ndarray:
    """Read what `write_table` wrote; raise FileError for lengths that cannot be."""
    count, absent = divmod(stream.varint(), 2)
    if not 2 <= count <= MOST_SYMBOLS:
        raise FileError(f"a Huffman code of {count} symbols is not allowed")
    mask = np.ones(count, bool)
    if absent:
        mask = np.unpackbits(np.frombuffer(stream.take(packed_size(count, 1)), np.uint8), count=count).astype(bool)
    first = stream.byte()
    folded = stream.unary(int(mask.sum())).astype(np.int64)
    present = first + np.cumsum(np.where(folded % 2 == 0, folded // 2, -(folded + 1) // 2))
    if len(present) < 2 or present.min() < 1 or present.max() > huffman.LONGEST or folded[0]:
        raise FileError("the lengths of a Huffman code are out of range")
    lengths = np.zeros(count, np.uint8)
    lengths[mask] = present
    return lengths
