"""Code lengths against entropy: how near Huffman's whole bits come to the shortest code there can be."""

from __future__ import annotations

import numpy as np

from labkit import layers
from labkit.codes import CodeTable, code_table
from labkit.live.result import Result
from labkit.methods import Picture

NAME = "code lengths"
NONE = "There are no codes here: the numbers of this layer are stored as they are."


def codes(result: Result) -> Picture | None:
    """Return the picture of the chosen layer's code, or of the largest layer that has one; None without codes."""
    found = layers.layers(result.model)
    paths = (
        [result.choice.where] if result.choice.where in found else sorted(found, key=lambda path: -_size(found[path]))
    )
    for path in paths:
        table = code_table(found[path].weight)
        if table is not None and len(table.counts) > 1:
            return draw(table, path)
    return None


def draw(table: CodeTable, name: str) -> Picture:
    """Put each code at its share of the weights and the length of its codeword."""
    used = np.asarray(table.counts) > 0
    share = np.asarray(table.counts, float)[used] / float(np.sum(table.counts))
    said = f"{table.average:.2f} bits on average, entropy {table.entropy:.2f}, equal lengths {table.fixed}"
    return Picture(
        kind="codes",
        title=f"{name}: {said}",
        x="share of the weights with this code (log)",
        y="length of its codeword, bits",
        values=share,
        marks=np.asarray(table.lengths, float)[used],
        text=f"Length of each codeword of {name} against how often it is used: {said}. "
        "The line is -log2 of the share, below which no code can be on average.",
    )


def _size(layer) -> int:
    return layer.weight.shape.numel()
