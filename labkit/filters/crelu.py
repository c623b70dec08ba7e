"""Concatenated ReLU: filters come in opposite pairs, and half of them are enough (Shang 2016).

    CReLU(z) = [max(0, z); max(0, -z)]

A filter before a ReLU drops what is negative, so networks learn the opposite filter besides, above all in their first
layers. Here W = [F; -F] comes before the network's own ReLU. Where a batch normalisation lies between, each half has a
scale and a shift of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.filters.base import Transfer
from labkit.methods import Knob
from labkit.weights import Negated, Transferred


def crelu(z: Tensor) -> Tensor:
    """Return both what is positive and what is negative of maps (n, c, …), as (n, 2 c, …).

    >>> crelu(torch.tensor([[1.0, -2.0]])).tolist()
    [[1.0, 0.0, 0.0, 2.0]]
    """
    return F.relu(torch.cat((z, -z), 1))


class CReLU(Transfer):
    """Each filter serves as itself and as its opposite.

    >>> from labkit import zoo
    >>> small = CReLU().prepare(zoo.load("VGG")).at(2)
    >>> tuple(small.conv2.weight.filters.shape), tuple(small.conv2.weight.shape)
    ((16, 32, 3, 3), (32, 32, 3, 3))
    """

    title = "CReLU"
    idea = "A ReLU throws half of a filter's answer away. Keep the negative half too, and half the filters are enough."
    equation = r"y = [\max(0, W x),\ \max(0, -W x)]"
    stores = "one filter of each opposite pair"
    drawback = "It helps where filters come in opposite pairs, which they do in early layers only."
    paper = "shang2016"
    knob = Knob("copies", "filters for each stored one", (1, 2), 2)

    def empty(self, shape: tuple[int, ...], value: float) -> Transferred | None:
        copies, out = int(value), shape[0]
        return Negated(torch.zeros((out + 1) // 2, *shape[1:]), out) if copies == 2 <= out else None
