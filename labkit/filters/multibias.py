"""Multi-bias activation: one filter's answer, cut at several heights (Li 2016).

    y_k = max(0, W x + delta_k),   k = 1 .. K

One convolution serves K maps, which differ in their bias alone. A batch normalisation behind the convolution gives each
map a scale of its own besides.
"""

from __future__ import annotations

import math

import torch

from labkit.filters.base import Transfer
from labkit.methods import Knob
from labkit.weights import Copied, Transferred


class MultiBias(Transfer):
    """Each filter serves K maps, each with its own bias.

    >>> from labkit import zoo
    >>> small = MultiBias().prepare(zoo.load("VGG")).at(4)
    >>> tuple(small.conv2.weight.filters.shape), small.conv2.weight.macs()
    ((8, 32, 3, 3), 2304)
    """

    title = "Multi-bias activation"
    idea = "Cut one filter's answer at several heights: faint and strong responses become maps of their own."
    equation = r"y_k = \max(0,\ W x + \delta_k), \quad k = 1, \dots, K"
    stores = "one filter and K biases for K maps"
    drawback = "All K maps see the same pattern. Where many patterns are needed, they are too few."
    paper = "li2016"
    knob = Knob("copies", "filters for each stored one", (1, 2, 4, 8), 2)

    def empty(self, shape: tuple[int, ...], value: float) -> Transferred | None:
        copies, out = int(value), shape[0]
        return Copied(torch.zeros(math.ceil(out / copies), *shape[1:]), copies, out) if 1 < copies <= out else None
