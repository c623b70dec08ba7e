"""How Deep Compression stores a pruned layer, counted beside what the lab's own file takes (Han 2016).

Each survivor, in the order of its flat position, is stored as the number of zeros before it, in b bits,
and the code of its shared value. Where 2^b or more zeros follow each other, the largest gap and a filler,
a survivor whose value is 0, bridge 2^b positions of them:

    bytes = (survivors + fillers) (b + ceil(log2 k)) / 8 + 4 k,   k shared values, the filler's 0 among them.

Huffman codes for both streams replace b and log2 k by what gaps and codes need on average, and add their
tables. The lab's file takes an escape symbol instead of fillers, which costs no code of a value, and
chooses for each layer how long a gap may be and whether rows or columns are followed (`storage.integers`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from torch import nn

from labkit import layers, storage
from labkit.storage.bits import packed_size
from labkit.storage.huffman import code_lengths
from labkit.storage.symbols import table_size
from labkit.table import Cell, Table
from labkit.weights import Codebook, Sparse

MOST_BITS = 16
FLOAT = 4  # bytes of a shared value and of a bias


def relative_index(positions: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the gaps before survivors and fillers, and which of them are fillers: two rows of equal length.

        zeros_i = p_i - p_(i-1) - 1,   fillers_i = floor(zeros_i / 2^b),   gap_i = zeros_i mod 2^b

    `positions` p (n,) are the survivors' flat positions, ascending; each gap is a number of zeros from 0 to
    2^b - 1, and each filler has the largest. Raises ValueError for positions that do not ascend from 0 or
    later, and for bits outside of 1 to 16 (Han 2016).

    >>> gaps, filler = relative_index(np.array([1, 4, 15]), bits=3)
    >>> gaps.tolist(), filler.tolist()
    ([1, 2, 7, 2], [False, False, True, False])
    """
    if type(bits) is not int or not 1 <= bits <= MOST_BITS:
        raise ValueError(f"bits of a gap are {bits!r}, but must be a whole number from 1 to {MOST_BITS}: 5 is usual")
    zeros = np.diff(positions, prepend=-1).astype(np.int64) - 1
    if (zeros < 0).any():
        raise ValueError("positions must be from 0 on and ascend, each once: sort them, as torch.nonzero returns them")
    ends = np.cumsum((zeros >> bits) + 1)  # each survivor stands behind its fillers
    filler = np.ones(int(ends[-1]) if len(ends) else 0, bool)
    filler[ends - 1] = False
    gaps = np.full(len(filler), (1 << bits) - 1)
    gaps[~filler] = zeros & ((1 << bits) - 1)
    return gaps, filler


def positions_of(gaps: np.ndarray, filler: np.ndarray) -> np.ndarray:
    """Return the survivors' positions again: the inverse of `relative_index`.

    >>> positions_of(np.array([1, 2, 7, 2]), np.array([False, False, True, False])).tolist()
    [1, 4, 15]
    """
    return (np.cumsum(gaps + 1) - 1)[~filler]


@dataclass(frozen=True)
class PaperSize:
    """The bytes of a layer in the paper's format; `tables` are those of the two Huffman codes.

    `fillers` is what of `gaps` and `values` the filler zeros take, and so not a part of its own.
    """

    gaps: int
    values: int
    codebook: int
    tables: int
    bias: int
    fillers: int

    @property
    def total(self) -> int:
        """All bytes of the layer."""
        return self.gaps + self.values + self.codebook + self.tables + self.bias

    def __add__(self, other: PaperSize) -> PaperSize:
        return PaperSize(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))


def paper_bytes(layer: layers.Layer, index_bits: int = 5, huffman: bool = True) -> PaperSize:
    """Count the bytes of a pruned and clustered layer in the paper's format, its bias in float32.

    `index_bits` are the bits of a gap: the paper takes 5 in fully connected layers and 8 in convolutions.
    How it writes the tables of its Huffman codes is not said: here they are those of the lab's file. Raises
    ValueError where the weight is not a Sparse whose values are a Codebook (Han 2016).

    >>> import torch
    >>> weight = Sparse(torch.tensor([1, 4, 15]), Codebook(torch.tensor([0, 1, 0]), torch.tensor([0.5, 2.0])), (4, 4))
    >>> paper_bytes(layers.Linear(weight), index_bits=3, huffman=False)
    PaperSize(gaps=2, values=1, codebook=12, tables=0, bias=0, fillers=1)
    """
    weight = layer.weight
    if not isinstance(weight, Sparse) or not isinstance(weight.values, Codebook):
        inside = f" of a {type(weight.values).__name__}" if isinstance(weight, Sparse) else ""
        found = type(weight).__name__ + inside
        raise ValueError(f"the weight is a {found}, but must be a Sparse of a Codebook: prune and cluster it first")
    gaps, filler = relative_index(weight.positions.cpu().numpy(), index_bits)
    fillers, shared = int(filler.sum()), weight.values.centroids.shape[0]
    codes = np.full(len(gaps), shared)  # the filler's zero is one value more
    codes[~filler] = weight.values.codes.cpu().numpy()
    streams = [_stream(gaps, 1 << index_bits, huffman), _stream(codes, shared + (fillers > 0), huffman)]
    return PaperSize(
        *(packed_size(int(stream.lengths @ stream.counts), 1) for stream in streams),
        codebook=FLOAT * len(streams[1].counts),
        tables=sum(stream.table for stream in streams),
        bias=0 if layer.bias is None else FLOAT * layer.bias.numel(),
        fillers=packed_size(fillers, int(sum(stream.lengths[-1] for stream in streams))) if fillers else 0,
    )


@dataclass(frozen=True)
class _Stream:
    """How often each symbol occurs, how many bits it takes, and the bytes of a table that says so."""

    counts: np.ndarray
    lengths: np.ndarray
    table: int


def _stream(text: np.ndarray, symbols: int, huffman: bool) -> _Stream:
    counts = np.bincount(text, minlength=symbols)
    if not huffman:
        return _Stream(counts, np.full(symbols, (symbols - 1).bit_length() if symbols else 0), 0)
    if np.count_nonzero(counts) < 2:
        return _Stream(counts, np.zeros(symbols, np.int64), 0)
    lengths = code_lengths(counts)
    return _Stream(counts, lengths.astype(np.int64), table_size(lengths))


def compare(model: nn.Module, index_bits: int = 5) -> Table:
    """Set the bytes of each layer in the paper's format, fixed lengths and Huffman, beside those of our file.

    Raises ValueError for a layer that is not pruned and clustered: see `paper_bytes`.
    """
    ours, found = storage.size(model), layers.layers(model)
    rows, sums = [], []
    for path, layer in found.items():
        try:
            sizes = [paper_bytes(layer, index_bits, coded) for coded in (False, True)]
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        kept = len(layer.weight.positions) / layer.weight.shape.numel()
        rows.append((_named(path, kept), *map(_cell, sizes), (f"{ours.parts[path]:,}", "")))
        sums.append(sizes)
    whole = [sum(column[1:], column[0]) for column in zip(*sums, strict=True)]
    rows.append((("all layers", ""), *map(_cell, whole), (f"{sum(ours.parts[path] for path in found):,}", "")))
    note = (
        f"In brackets what the filler zeros take. Gaps of {index_bits} bits; shared values and biases in float32, as "
        "in the paper. Ours has escapes instead of fillers, and chooses the width and the direction of the gaps. "
        f"With its structure our whole file has {ours.total:,} bytes."
    )
    columns = ("layer", "the paper's format, fixed lengths", "the paper's format, Huffman", "our file")
    return Table("Bytes of each layer in Deep Compression's format and in ours", columns, rows, note)


def _named(path: str, kept: float) -> Cell:
    return path, f"{100 * kept:.1f} % kept"


def _cell(size: PaperSize) -> Cell:
    return f"{size.total:,}", f"{size.fillers:,}"
