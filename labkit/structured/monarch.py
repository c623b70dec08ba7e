"""Monarch: two block-diagonal matrices with a permutation between them, products of small dense ones (Dao 2022).

    W[(j, l), (k, i)] = second[j, l, k] first[k, j, i],   b (out + in) numbers with b blocks

For each pair (j, k) this is a matrix of rank 1 over (l, i), so that the nearest Monarch matrix has a closed form: the
best rank-1 approximation of each of the b^2 slices (Eckart 1936). Its rank goes up to b^2 where as many numbers in two
thin matrices give rank b.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.methods import Knob
from labkit.replacing import ReplacingFit
from labkit.structured.base import Structured
from labkit.weights import Monarch as MonarchWeight

BLOCKS = (1, 2, 4, 8, 16, 32, 64)


class Monarch(Structured):
    """Each matrix as two block-diagonal ones of b blocks.

    >>> from labkit import zoo
    >>> small = Monarch().prepare(zoo.load("LeNet-300-100")).at(4)
    >>> tuple(small.fc1.weight.first.shape), tuple(small.fc1.weight.second.shape)
    ((4, 4, 196), (4, 75, 4))
    """

    title = "Monarch"
    idea = (
        "Two block-diagonal matrices with a fixed shuffle between them: every input reaches every output in two steps."
    )
    equation = r"W = P\, L\, P^T R, \quad b\,(m+n) \text{ numbers}, \ \mathrm{rank} \le b^2"
    stores = "the blocks of two block-diagonal matrices"
    drawback = "Which outputs share a block is fixed beforehand, whatever the task."
    paper = "dao2022"
    knob = Knob("blocks", "number of blocks", BLOCKS, 16)

    def nearest(self, matrix: Tensor, value: float, seed: int) -> MonarchWeight:
        (out, in_), b = matrix.shape, int(value)
        slices = F.pad(matrix, (0, -in_ % b, 0, -out % b)).view(b, -(-out // b), b, -(-in_ // b)).transpose(1, 2)
        u, s, v = torch.linalg.svd(slices, full_matrices=False)  # j, k, and a matrix (l, i)
        root = s[..., :1].sqrt()
        first, second = (root * v[..., 0, :]).transpose(0, 1), (root * u[..., 0]).transpose(1, 2)
        return MonarchWeight(first.contiguous(), second.contiguous(), (out, in_))

    def draw(self, shape, value: float, std: float, generator: torch.Generator) -> MonarchWeight:
        (out, in_), b = shape, int(value)
        first = torch.randn(b, b, math.ceil(in_ / b), generator=generator)
        second = torch.randn(b, math.ceil(out / b), b, generator=generator)
        return MonarchWeight(std**0.5 * first, std**0.5 * second, shape)

    def knob_for(self, fits: dict[str, ReplacingFit]) -> Knob:
        """The numbers of blocks that pay in at least one layer."""
        shapes = [tuple(fit.values.shape) for fit in fits.values()]
        blocks = (
            tuple(b for b in BLOCKS if any(count(shape, b) < shape[0] * shape[1] for shape in shapes)) or BLOCKS[:1]
        )
        return replace(self.knob, values=blocks, start=min(self.knob.start, blocks[-1]))


def count(shape: tuple[int, int], b: int) -> int:
    """Count the numbers of b blocks: b sides that are rounded up to whole blocks.

    >>> count((300, 784), 4), count((9, 9), 4)
    (4336, 96)
    """
    return b * sum(b * math.ceil(side / b) for side in shape)
