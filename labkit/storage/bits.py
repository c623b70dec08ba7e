"""Bits and small whole numbers as bytes: what every codec of the file is made of."""

from __future__ import annotations

import numpy as np

from labkit.storage.errors import FileError

CHUNK = 1 << 16  # numbers packed at once: a multiple of 8, so that a chunk fills whole bytes


def packed_size(count: int, bits: int) -> int:
    """Return the bytes that `count` numbers of `bits` bits take.

    >>> packed_size(3, 3)
    2
    """
    return (count * bits + 7) // 8


def pack(numbers: np.ndarray, bits: int) -> bytes:
    """Write whole numbers from 0 to 2^bits - 1 one after the other, the highest bit first.

    >>> pack(np.array([1, 2, 3]), 2).hex()
    '6c'
    """
    if bits == 0:
        return b""
    width = _width(bits)
    shifts = np.arange(bits - 1, -1, -1, dtype=width)
    parts = []
    for start in range(0, len(numbers), CHUNK):
        part = numbers[start : start + CHUNK].astype(width)
        parts.append(np.packbits(((part[:, None] >> shifts) & width(1)).astype(np.uint8)).tobytes())
    return b"".join(parts)


def unpack(data: bytes, count: int, bits: int) -> np.ndarray:
    """Read what `pack` wrote; raise FileError unless `data` is exactly as long as it must be.

    >>> unpack(bytes.fromhex("6c"), 3, 2).tolist()
    [1, 2, 3]
    """
    if len(data) != packed_size(count, bits):
        raise FileError(f"{count} numbers of {bits} bits do not take {len(data)} bytes")
    width = _width(bits)
    numbers = np.zeros(count, width)
    raw = np.frombuffer(data, np.uint8)
    for start in range(0, count if bits else 0, CHUNK):
        part = numbers[start : start + CHUNK]
        first = start * bits // 8
        columns = np.unpackbits(raw[first : first + packed_size(len(part), bits)], count=len(part) * bits)
        for column in columns.reshape(len(part), bits).T:
            part <<= width(1)
            part |= column
    return numbers


def _width(bits: int) -> type[np.unsignedinteger]:
    return np.uint32 if bits <= 32 else np.uint64


def varint(number: int) -> bytes:
    """Write a whole number from 0 on in groups of seven bits, the lowest first.

    >>> varint(300).hex()
    'ac02'
    """
    groups = []
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes([*groups, number])


def zigzag(number: int) -> int:
    """Fold the signed numbers onto 0, 1, 2, …: 0, -1, 1, -2, 2, …

    >>> [zigzag(number) for number in (0, -1, 1, -2)]
    [0, 1, 2, 3]
    """
    return 2 * number if number >= 0 else -2 * number - 1


def unzigzag(number: int) -> int:
    """Undo `zigzag`."""
    return -(number + 1) // 2 if number & 1 else number // 2


def unary(numbers: np.ndarray) -> bytes:
    """Write each number n as n ones and a zero: short where nearly all are 0.

    >>> unary(np.array([0, 2])).hex()
    '60'
    """
    ends = np.cumsum(numbers + 1) - 1
    ones = np.ones(int(ends[-1]) + 1 if len(ends) else 0, np.uint8)
    ones[ends] = 0
    return np.packbits(ones).tobytes()


def unary_size(numbers: np.ndarray) -> int:
    """Return the bytes that `unary` takes."""
    return (int(numbers.sum()) + len(numbers) + 7) // 8


class Bytes:
    """A reader that walks over bytes and never past their end."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def __len__(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if count > len(self):
            raise FileError(f"{count} bytes were expected, but only {len(self)} are left")
        self.at += count
        return self.data[self.at - count : self.at]

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self))

    def byte(self) -> int:
        """Return the next byte as a number."""
        return self.take(1)[0]

    def varint(self) -> int:
        """Read what `varint` wrote, of at most 64 bits."""
        number = 0
        for shift in range(0, 70, 7):
            group = self.byte()
            number |= (group & 127) << shift
            if group < 128 and number < 1 << 64:
                return number
        raise FileError("a whole number is longer than 64 bits")

    def unary(self, count: int) -> np.ndarray:
        """Read what `unary` wrote."""
        ones = np.unpackbits(np.frombuffer(self.data, np.uint8, offset=self.at))
        ends = np.flatnonzero(ones == 0)[:count]
        if len(ends) < count:
            raise FileError("a list of code lengths is cut off")
        self.take((int(ends[-1]) + 8) // 8 if count else 0)
        return np.diff(ends, prepend=-1) - 1
