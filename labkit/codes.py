"""What the codes of a compressed weight look like: how often each is used, and how long its Huffman codeword is.

A file with codes of equal length takes ceil(log2 k) bits for each of n weights; a Huffman code (Huffman
1952) takes less where some codes are used more often than others, and the entropy is the limit.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import nn

from labkit.storage import huffman
from labkit.weights import Affine, Codebook, Weight


@dataclass(frozen=True)
class CodeTable:
    """The codes 0 to k - 1 of a Weight: how often each occurs, counts (k,), and its value, values (k,) or None.

    All lengths are in bits. Codes that do not occur have none.

    >>> table = CodeTable(np.array([5, 1, 0, 2]))
    >>> table.lengths.tolist(), table.average, table.fixed
    ([1, 2, 0, 2], 1.375, 2)
    >>> round(table.entropy, 3), round(table.excess, 3)
    (1.299, 0.076)
    """

    counts: np.ndarray
    values: np.ndarray | None = None

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """The length of each code's Huffman codeword, (k,): 0 where there is nothing to tell apart."""
        if np.count_nonzero(self.counts) < 2:
            return np.zeros(len(self.counts), np.uint8)
        return huffman.code_lengths(self.counts)

    @property
    def entropy(self) -> float:
        """H = -sum p_j log2 p_j: no code that treats each weight by itself is shorter (Shannon 1948)."""
        return huffman.entropy(self.counts) if np.count_nonzero(self.counts) > 1 else 0.0

    @property
    def average(self) -> float:
        """L = sum p_j l_j: what a weight takes in a Huffman code, on average."""
        return huffman.text_bits(self.counts, self.lengths) / int(self.counts.sum())

    @property
    def excess(self) -> float:
        """L - H, from 0 to below 1: what whole bits cost."""
        return max(0.0, self.average - self.entropy)

    @property
    def fixed(self) -> int:
        """ceil(log2 k): what a weight takes where all codes are equally long."""
        return (len(self.counts) - 1).bit_length()


def code_table(weight: Weight) -> CodeTable | None:
    """Return the table of a Weight's codes, wherever they are nested; None where it has none.

    Of several, as in the two factors of a LowRank, it is that of the most codes.

    >>> import torch
    >>> code_table(Codebook(torch.tensor([[0, 1], [1, 1]]), torch.tensor([-1.0, 2.0]))).counts.tolist()
    [1, 3]
    """
    return max(code_tables(weight), key=lambda table: int(table.counts.sum()), default=None)


def code_tables(module: nn.Module) -> Iterator[CodeTable]:
    """Walk over the tables of all codes in a Weight, a layer or a network."""
    for part in module.modules():
        codes = getattr(part, "codes", None)
        if isinstance(part, Weight) and codes is not None and codes.shape == part.shape and codes.numel():
            values = _values(part)
            counts = np.bincount(codes.cpu().numpy().ravel(), minlength=0 if values is None else len(values))
            yield CodeTable(counts, values)


def _values(weight: Weight) -> np.ndarray | None:
    """Return what each code stands for, (k,), or None where that depends on the row."""
    if isinstance(weight, Codebook):
        return weight.centroids().detach().cpu().numpy()
    if isinstance(weight, Affine) and weight.scale.shape[0] == 1 and weight.codes.numel():
        steps = np.arange(int(weight.codes.max()) + 1) - int(weight.zero)
        return steps * weight.scale().detach().cpu().numpy()
    return None
