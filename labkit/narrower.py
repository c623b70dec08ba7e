"""Small dense networks that store as many numbers as a compressed one: what every method has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from labkit import layers
from labkit.layers import Linear


def chain(model: nn.Module) -> dict[str, Linear]:
    """Return the layers of a network of fully connected layers in a row; raise ValueError for any other.

    >>> chain(layers.adopt(nn.Sequential(nn.Conv2d(1, 2, 3))))
    Traceback (most recent call last):
    ValueError: only a row of fully connected layers can be made narrower: take LeNet-300-100 or MLP-1000
    """
    found = layers.layers(model)
    row = list(found.values())
    fully = isinstance(model, nn.Sequential) and all(isinstance(layer, Linear) for layer in row)
    if not fully or any(one.weight.shape[0] != two.weight.shape[1] for one, two in pairwise(row)):
        raise ValueError("only a row of fully connected layers can be made narrower: take LeNet-300-100 or MLP-1000")
    others = [name for name, _ in model.named_parameters() if name.rpartition(".")[0].partition(".")[0] not in found]
    if others:
        raise ValueError(f"only fully connected layers can be made narrower, but {others[0]} is as wide as one of them")
    return found


def sides(row: dict[str, Linear]) -> list[int]:
    """Return the widths of a chain from its inputs to its outputs.

    >>> from labkit import zoo
    >>> sides(chain(zoo.load("LeNet-300-100")))
    [784, 300, 100, 10]
    """
    first = next(iter(row.values()))
    return [first.weight.shape[1], *(layer.weight.shape[0] for layer in row.values())]


def widths(sides: Sequence[int], biases: bool, wanted: int) -> list[int]:
    """Return the sides of a network of about so many numbers: all hidden ones smaller by one factor.

    Of all factors it is the one with which the network stores as many numbers, or as nearly as may be.

    >>> widths([784, 1000, 10], True, 99_376), widths([784, 300, 100, 10], True, 33_410)
    ([784, 125, 10], [784, 42, 14, 10])
    """
    widest = max(sides[1:-1], default=1)
    tried = [
        [sides[0], *(max(1, round(side * hidden / widest)) for side in sides[1:-1]), *sides[-1:]]
        for hidden in range(1, widest + 1)
    ]
    return min(tried, key=lambda found: abs(sum((one + biases) * two for one, two in pairwise(found)) - wanted))


def narrower(model: nn.Module, wanted: int, seed: int) -> nn.Module:
    """Return an untrained network like a chain, with fewer hidden neurons, of about so many numbers.

    The same seed gives the same network. Raises ValueError for a model that is no chain.

    >>> from labkit import zoo
    >>> zoo.parameters(narrower(zoo.load("LeNet-300-100"), wanted=10_000, seed=0))
    10311
    """
    row = chain(model)
    biases = any(layer.bias is not None for layer in row.values())
    smaller = widths(sides(row), biases, wanted)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        new = {
            path: layers.adopt(nn.Linear(one, two, bias=layer.bias is not None))
            for (path, layer), (one, two) in zip(row.items(), pairwise(smaller), strict=True)
        }
    return layers.replace(model, new)
