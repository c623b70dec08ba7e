"""Doubly convolutional filters: all windows of one larger filter (Zhai 2016).

    W_{j, (a, b)} = F_j[a : a + z, b : b + z],   a, b from 0 to s - 1: s^2 filters from (z + s - 1)^2 numbers

Trained filters are often shifted copies of each other. Here they share their numbers, as far as they overlap.
"""

from __future__ import annotations

import math

import torch

from labkit.filters.base import Transfer
from labkit.methods import Knob
from labkit.weights import Transferred, Translated


class DoublyConvolutional(Transfer):
    """Each meta-filter stands for its s^2 windows of the kernel's size.

    >>> from labkit import zoo
    >>> small = DoublyConvolutional().prepare(zoo.load("VGG")).at(4)
    >>> tuple(small.conv2.weight.filters.shape), tuple(small.conv2.weight.shape)
    ((8, 32, 4, 4), (32, 32, 3, 3))
    """

    title = "Doubly convolutional filters"
    idea = "Store one larger filter, and use every window of it: shifted copies share what they have in common."
    equation = r"W_{j,(a,b)} = F_j[a : a{+}z,\ b : b{+}z], \quad 0 \le a, b < s"
    stores = "meta-filters of (z + s - 1)² numbers, each for s² filters of z²"
    drawback = "Every window is convolved for itself: the file shrinks, and the time does not."
    paper = "zhai2016"
    knob = Knob("copies", "filters for each stored one", (1, 4, 9), 4)

    def empty(self, shape: tuple[int, ...], value: float) -> Transferred | None:
        copies, (out, inside, height, width) = int(value), shape
        shifts = math.isqrt(copies)
        if not 1 < copies <= out:
            return None
        meta = torch.zeros(math.ceil(out / copies), inside, height + shifts - 1, width + shifts - 1)
        return Translated(meta, shifts, out)
