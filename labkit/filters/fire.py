"""Fire modules: squeeze the maps with 1 x 1 filters, then expand them with 1 x 1 and 3 x 3 ones (Iandola 2016).

    y = expand(max(0, squeeze(x))):   in s + s (e1 + e3 k^2) numbers for in out k^2,   e1 = e3 = out / 2

Few of the filters are large, and those read few maps. A batch normalisation stands behind the squeeze, as behind every
convolution of our networks; the paper had none.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from labkit.filters.compact import Compact
from labkit.layers import Conv2d
from labkit.methods import Knob
from labkit.thinner import as_new, bias_as_new
from labkit.weights import Dense, Expanded


class Fire(Compact):
    """Each convolution as a Fire module; the knob is the squeeze ratio s / (e1 + e3).

    >>> from labkit import zoo
    >>> small = Fire().prepare(zoo.load("VGG")).at(0.125)
    >>> tuple(small.conv4.squeeze.weight.shape), tuple(small.conv4.expand.weight.points.shape)
    ((8, 64, 1, 1), (32, 8))
    """

    title = "Fire modules"
    idea = (
        "Squeeze the maps into a few with 1 x 1 filters, and let only those be read by large filters, and only by half."
    )
    equation = r"y = [E_1 z;\ E_3 * z], \quad z = \max(0, S x)"
    stores = "1 x 1 filters that squeeze, 1 x 1 and 3 x 3 filters that expand"
    drawback = "A 1 x 1 filter sees no neighbours: what lies beside what, half of the maps cannot tell."
    paper = "iandola2016"
    knob = Knob("squeeze", "squeeze ratio", (0.125, 0.25, 0.5, 0.75), 0.125, percent=True)

    def block(self, layer: Conv2d, value: float, random: torch.Generator) -> nn.Module | None:
        out, inside, *kernel = layer.weight.shape
        if max(kernel) == 1 or not all(side % 2 for side in kernel) or out < 2:
            return None
        squeezed = max(1, round(value * out))
        drawn = as_new(torch.Size((out, squeezed, *kernel)), random)
        half = out // 2
        points = as_new(torch.Size((half, squeezed)), random)
        bias = None if layer.bias is None else bias_as_new(drawn.shape, random)
        return nn.Sequential(
            OrderedDict(
                squeeze=Conv2d(Dense(as_new(torch.Size((squeezed, inside, 1, 1)), random))),
                bn=nn.BatchNorm2d(squeezed),
                relu=nn.ReLU(),
                expand=Conv2d(Expanded(points, drawn[half:]), bias, layer.stride, layer.padding, layer.dilation),
            )
        )
