"""Untrained networks with fewer filters in every layer: the width multiplier, and a rival of compact designs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from labkit import channels, layers
from labkit.folding import NORMS


def thinner(model: nn.Module, image_shape: tuple[int, int, int], width: float, random: torch.Generator) -> nn.Module:
    """Return an untrained network in which every layer has a share `width` of its filters or units, at least one.

    Inputs and classes stay as many as they are. The same dice give the same network. Multiplications and numbers fall
    about as the square of `width` (Howard 2017). Raises ValueError for a width that is not above 0 and at most 1.

    >>> from labkit import zoo
    >>> half = thinner(zoo.load("VGG"), (1, 28, 28), 0.5, torch.Generator().manual_seed(0))
    >>> half.conv6.weight.shape
    torch.Size([64, 64, 3, 3])
    """
    if not 0 < width <= 1:
        raise ValueError(f"width is {width}, but must be above 0 and at most 1")
    groups = channels.groups(model, image_shape)
    small = channels.remove(model, {group: range(max(1, round(width * group.width))) for group in groups})
    redraw(small, random)
    return small


@torch.no_grad()
def redraw(model: nn.Module, random: torch.Generator) -> None:
    """Draw all numbers of a network anew, as torch draws those of a new one; its weights become dense."""
    for layer in layers.layers(model).values():
        layer.weight = layers.Dense(as_new(layer.weight.shape, random))
        if layer.bias is not None:
            layer.bias.copy_(bias_as_new(layer.weight.shape, random))
    for module in model.modules():
        if isinstance(module, NORMS):
            module.reset_parameters()


def as_new(shape: torch.Size, random: torch.Generator) -> Tensor:
    """Draw a weight (out, in, ...) evenly between -1 / sqrt(n) and 1 / sqrt(n), n the inputs of a unit."""
    return nn.init.kaiming_uniform_(torch.empty(shape), a=math.sqrt(5), generator=random)


def bias_as_new(shape: torch.Size, random: torch.Generator) -> Tensor:
    """Draw the bias (out,) of a layer whose weight has this shape, as torch does."""
    bound = 1 / math.sqrt(shape[1:].numel())
    return torch.empty(shape[0]).uniform_(-bound, bound, generator=random)
