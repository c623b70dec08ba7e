"""Group-equivariant convolution: filters in every orientation, and maps that turn with the picture (Cohen 2016).

    lifting:  W[(o, r), i] = rot^r F[o, i]              group:  W[(o, r), (i, q)] = rot^r F[o, i, (q - r) mod t]

    T' Phi(x) = Phi(T x):   when the picture turns, the maps turn and move on by one orientation

The group of shifts and t = 4 quarter turns is p4. A layer keeps its number of maps, so that it stores four times fewer
numbers. A batch normalisation and a bias have to treat the orientations of a filter alike: there is one for all of
them. Exact it is where the grid turns into itself: a layer whose stride leaves out another row on one side than on the
other breaks it, as a pooling of 7 x 7 to 3 x 3 does.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import nn

from labkit import layers
from labkit.filters.base import Transfer, weight_path
from labkit.layers import Conv2d
from labkit.methods import Knob, LeafCurve, Picture
from labkit.orbits import OrbitBias, OrbitPool, shared
from labkit.weights import Rotated


class Turning(NamedTuple):
    """In how many orientations the filters of a convolution are used, and how many its maps have that it reads."""

    turns: int
    slices: int


class P4Curve(LeafCurve):
    """Replaces convolutions and the normalisations behind them, from the picture on."""

    def at(self, value: float) -> nn.Module:
        lifted, norms = self._oriented(value)
        new: dict[str, nn.Module] = {path: shared(self.model.get_submodule(path), int(value)) for path in norms}
        for path, turning in lifted.items():
            layer, weight = path.rpartition(".")[0], self.fits[path].weight(turning)
            biased = self.model.get_submodule(layer).bias is not None
            new |= {layer: alike(self.model.get_submodule(layer), weight)} if biased else {path: weight}
        return layers.replace(self.model, new)

    def picture(self, value: float, layer: str) -> Picture:
        path = self.path_in(layer)
        return self.fits[path].picture(self._oriented(value)[0].get(path, Turning(1, 1)), layer)

    def _oriented(self, value: float) -> tuple[dict[str, Turning], list[str]]:
        return oriented(self.model, list(self.fits), int(self.knob.check(value)))


def alike(layer: Conv2d, weight: Rotated) -> nn.Sequential:
    """Return a convolution with this weight, and one bias for all orientations of a filter: the mean of theirs."""
    bare = copy.deepcopy(layer)
    bare.weight, bare.bias = weight, None
    bias = layer.bias.detach().view(-1, weight.turns).mean(1)
    return nn.Sequential(OrderedDict(conv=bare, bias=OrbitBias(bias, weight.turns)))


def oriented(model: nn.Module, weights: list[str], turns: int) -> tuple[dict[str, Turning], list[str]]:
    """Follow the maps from the picture on: which of the weights (paths) turn, and which normalisations belong to them.

    The layers are taken in the order in which the network lists them. A convolution whose filters are not square, or
    cannot be shared evenly, stays as it is, and the next one reads maps without orientation.

    >>> from labkit import zoo
    >>> oriented(zoo.load("VGG"), ["conv1.weight", "conv2.weight"], 4)[0]["conv2.weight"]
    Turning(turns=4, slices=4)
    """
    lifted: dict[str, Turning] = {}
    norms: list[str] = []
    slices, turning = 1, False
    for path, module in model.named_modules():
        if isinstance(module, Conv2d):
            weight, (out, _, height, width) = weight_path(path), module.weight.shape
            turning = turns > 1 and weight in weights and out % turns == 0 and height == width
            if turning:
                lifted[weight] = Turning(turns, slices)
            slices = turns if turning else 1
        elif isinstance(module, OrbitPool):
            slices, turning = 1, False
        elif type(module) is nn.BatchNorm2d and turning and module.affine and module.track_running_stats:
            norms.append(path)
    return lifted, norms


class P4(Transfer):
    """Each filter in its four orientations, equivariant to quarter turns.

    >>> from labkit import zoo
    >>> small = P4().prepare(zoo.load("VGG")).at(4)
    >>> tuple(small.conv1.weight.filters.shape), tuple(small.conv2.weight.filters.shape)
    ((8, 1, 1, 3, 3), (8, 8, 4, 3, 3))
    """

    title = "Group-equivariant convolution (p4)"
    idea = "Every filter is used in all four orientations, and the network answers a turned picture with turned maps."
    equation = r"W_{(o,r),(i,q)} = \mathrm{rot}^r F_{o,i,(q-r) \bmod 4}, \qquad T' \Phi(x) = \Phi(T x)"
    stores = "one filter for four orientations"
    drawback = "Where up and down mean something, it spends four maps on what one could say."
    paper = "cohen2016"
    knob = Knob("copies", "filters for each stored one", (1, 4), 4)
    curve = P4Curve

    def empty(self, shape: tuple[int, ...], value: Turning) -> Rotated | None:
        (turns, slices), (out, inside, *kernel) = value, shape
        if turns == 1:
            return None
        return Rotated(torch.zeros(out // turns, inside // slices, slices, *kernel), turns)
