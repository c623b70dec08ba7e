"""Networks in the shapes that a low-rank method gives them, filled with zeros: to be timed, not to be used.

What a layer costs in time depends on its shapes and not on its numbers, and CP takes minutes to find those.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from labkit import layers
from labkit.weights import CP, LowRank, Separable, Tucker2, Weight

Shape = tuple[int, ...]
zeros = torch.zeros


def matrix(shape: Shape, rank: int) -> Weight:
    """Two thin matrices for a weight (out, ...)."""
    inside = torch.Size(shape[1:]).numel()
    return LowRank(zeros(shape[0], rank), zeros(rank, inside), shape)


def spatial(shape: Shape, rank: int) -> Weight:
    """A convolution by columns, and one by rows."""
    out, inside, height, width = shape
    return Separable(zeros(out, rank, width), zeros(rank, inside, height))


def tucker(shape: Shape, rank: int) -> Weight:
    """A convolution between at most `rank` channels."""
    out, inside, height, width = shape
    first, last = min(rank, inside), min(rank, out)
    return Tucker2(zeros(out, last), zeros(last, first, height, width), zeros(first, inside))


def cp(shape: Shape, rank: int) -> Weight:
    """A sum of rank-one kernels."""
    out, inside, height, width = shape
    return CP(zeros(out, rank), zeros(rank, inside), zeros(rank, height), zeros(rank, width))


KERNELS: dict[str, Callable[[Shape, int], Weight]] = {
    "lowrank.SVD": matrix,
    "lowrank.ActivationSVD": matrix,
    "lowrank.Spatial": spatial,
    "lowrank.Tucker2": tucker,
    "lowrank.CP": cp,
}


def shaped(model: nn.Module, method: str, rank: int) -> nn.Module | None:
    """Return the model in the shapes of a method at a rank, all factors zero; None for a method that is not here.

    >>> from labkit import zoo
    >>> shaped(zoo.load("LeNet-5"), "lowrank.Spatial", 8).conv2.weight.vertical.shape
    torch.Size([8, 20, 5])
    """
    if method not in KERNELS:
        return None
    new = {}
    for path, leaf in layers.leaves(model, matrices=True):
        kernel = len(leaf.shape) == 4 and leaf.shape[2:].numel() > 1
        weight = (KERNELS[method] if kernel else matrix)(tuple(leaf.shape), rank)
        if sum(part.numel() for part in weight.parameters()) < leaf.shape.numel():  # or else the method leaves it alone
            new[path] = weight
    return layers.replace(model, new)
