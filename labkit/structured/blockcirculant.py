"""Block-circulant matrices: tiles of b x b, each circulant, so that b turns from dense to strong (Ding 2017).

    W_jk = circ(c_jk),   out in / b numbers for out in

The nearest one has a closed form tile by tile: the mean over each wrapped diagonal, as for one circulant.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from labkit.methods import Knob
from labkit.replacing import ReplacingFit
from labkit.structured.base import Structured
from labkit.structured.circulant import nearest_columns
from labkit.weights import BlockCirculant as BlockCirculantWeight


class BlockCirculant(Structured):
    """Each matrix in circulant blocks of b x b.

    >>> from labkit import zoo
    >>> small = BlockCirculant().prepare(zoo.load("LeNet-300-100")).at(64)
    >>> tuple(small.fc1.weight.columns.shape)
    (5, 13, 64)
    """

    title = "Block-circulant"
    idea = "The matrix is cut into square tiles, and each tile is circulant. Larger tiles store less."
    equation = r"W = \big(\mathrm{circ}(c_{jk})\big)_{jk}, \quad mn / b \text{ numbers for } mn"
    stores = "the first column of each tile"
    drawback = "Nothing says which block size to take, and small tiles are slow: many short FFTs."
    paper = "ding2017"
    recipe = replace(Structured.recipe, learning_rate=0.003)
    knob = Knob("block", "block size", (2, 4, 8, 16, 32, 64, 128), 8)

    def nearest(self, matrix: Tensor, value: float, seed: int) -> BlockCirculantWeight:
        return BlockCirculantWeight(nearest_columns(matrix, int(value)), tuple(matrix.shape))

    def draw(self, shape, value: float, std: float, generator: torch.Generator) -> BlockCirculantWeight:
        b = int(value)
        columns = std * torch.randn(math.ceil(shape[0] / b), math.ceil(shape[1] / b), b, generator=generator)
        return BlockCirculantWeight(columns, shape)

    def knob_for(self, fits: dict[str, ReplacingFit]) -> Knob:
        """Powers of two, up to the first that covers the largest matrix at once."""
        side = max((max(fit.values.shape) for fit in fits.values()), default=2)
        sizes = tuple(size for size in self.knob.values if size < 2 * side) or self.knob.values[:1]
        return replace(self.knob, values=sizes, start=min(self.knob.start, sizes[-1]))
