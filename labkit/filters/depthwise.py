"""Depthwise separable convolution with a width multiplier: one filter for each map, then 1 x 1 filters (Howard 2017).

    y = P max(0, D x):   in (k^2 + out) multiplications a position for in out k^2, a share 1 / out + 1 / k^2

D has one k x k filter for each map, P mixes the maps. With a width alpha every layer has alpha times as many filters,
which makes numbers and multiplications fall about as alpha^2.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from labkit.drawn import WIDTH
from labkit.filters.compact import Compact
from labkit.layers import Conv2d
from labkit.thinner import as_new, bias_as_new
from labkit.weights import Dense


class DepthwiseSeparable(Compact):
    """Each convolution as a depthwise and a pointwise one; the knob is the width of the network.

    >>> from labkit import zoo
    >>> small = DepthwiseSeparable().prepare(zoo.load("VGG")).at(0.5)
    >>> tuple(small.conv4.depthwise.weight.shape), tuple(small.conv4.pointwise.weight.shape)
    ((32, 1, 3, 3), (32, 32, 1, 1))
    """

    title = "Depthwise separable convolution"
    idea = "Look at each map with a filter of its own, then mix the maps: space and channels are taken apart."
    equation = r"y = P\, \max(0, D * x), \quad \tfrac{1}{\mathrm{out}} + \tfrac{1}{k^2} \text{ of the multiplications}"
    stores = "one k x k filter for each map, and a matrix of 1 x 1 filters"
    drawback = "Nearly all is left to 1 x 1 filters, and a narrow network has few of them."
    paper = "howard2017"
    knob = WIDTH

    def width(self, value: float) -> float:
        return value

    def block(self, layer: Conv2d, value: float, random: torch.Generator) -> nn.Module | None:
        out, inside, *kernel = layer.weight.shape
        if max(kernel) == 1:
            return None
        moves = layer.stride, layer.padding, layer.dilation
        points = torch.Size((out, inside, 1, 1))
        bias = None if layer.bias is None else bias_as_new(points, random)
        return nn.Sequential(
            OrderedDict(
                depthwise=Conv2d(Dense(as_new(torch.Size((inside, 1, *kernel)), random)), None, *moves, inside),
                bn=nn.BatchNorm2d(inside),
                relu=nn.ReLU(),
                pointwise=Conv2d(Dense(as_new(points, random)), bias),
            )
        )
