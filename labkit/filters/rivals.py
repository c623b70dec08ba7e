"""What transferred and compact filters are compared with: the plain network with fewer filters, trained alike."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from labkit.drawn import WIDTH
from labkit.filters.compact import Compact
from labkit.layers import Conv2d

WIDTHS = tuple(step / 32 for step in range(4, 33))


class Thinner(Compact):
    """A plain network in which every layer has fewer filters.

    >>> from labkit import zoo
    >>> tuple(Thinner().prepare(zoo.load("VGG")).at(0.5).conv4.weight.shape)
    (32, 32, 3, 3)
    """

    title = "Fewer filters"
    idea = "The same network with fewer plain filters in every layer, trained from the beginning."
    equation = r"\alpha^2 \text{ of the numbers and multiplications}"
    stores = "the weights of a small plain network"
    drawback = "It has nothing but fewer filters."
    paper = "howard2017"
    knob = replace(WIDTH, values=WIDTHS)

    def width(self, value: float) -> float:
        return value

    def block(self, layer: Conv2d, value: float, random: torch.Generator) -> nn.Module | None:
        return None
