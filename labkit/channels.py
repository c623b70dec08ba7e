"""Which channels of a network hang together, and a network with fewer of them.

A channel is one output of a layer: a filter's picture, or the number of a hidden unit. To remove it for
real is to remove its row from the layer's weight, its numbers from the batch normalisation behind, and
its columns from each weight that reads it. Channels that are added to each other, as in a residual
network, can only go together.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from labkit.data import Data
from labkit.flow import Channels, walk
from labkit.folding import trace
from labkit.layers import Layer


@dataclass(frozen=True)
class Group:
    """Channels that can only be removed together.

    `producers` are the paths of the layers whose outputs they are, `norms` those of the batch
    normalisations behind, `consumers` pairs of the path of a layer that reads them and its columns for
    each channel: 1, or height * width behind a flattened picture. `width` counts the channels.
    """

    producers: tuple[str, ...]
    norms: tuple[str, ...]
    consumers: tuple[tuple[str, int], ...]
    width: int


def groups(model: nn.Module, image_shape: tuple[int, int, int]) -> list[Group]:
    """Find the channels that may be removed and those they hang together with, in the order of the network.

    The network's input and output stay, and so does what is read in a way that is not understood: by a
    concatenation, or a convolution in groups, unless it has one for each channel. `image_shape` is
    (channels, height, width). Raises ValueError where the network has no graph, or takes other pictures.

    >>> from labkit import zoo
    >>> [(group.producers, group.consumers, group.width) for group in groups(zoo.load("LeNet-5"), (1, 28, 28))]
    [(('conv1',), (('conv2', 1),), 20), (('conv2',), (('fc1', 16),), 50), (('fc1',), (('fc2', 1),), 500)]
    """
    net = trace(copy.deepcopy(model).eval())
    device = next((tensor.device for tensor in model.state_dict().values()), None)
    owned, read = walk(net, torch.zeros(2, *image_shape, device=device))
    together: dict[Channels, list[str]] = {}
    for path, channels in owned.items():
        if not channels.root().fixed:
            together.setdefault(channels.root(), []).append(path)
    found = []
    for channels, paths in together.items():
        producers = tuple(path for path in paths if isinstance(net.get_submodule(path), Layer))
        norms = tuple(path for path in paths if path not in producers)
        consumers = tuple((path, flow.spread) for path, flow in read.items() if flow.channels.root() is channels)
        found.append(Group(producers, norms, consumers, channels.width))
    return found


def remove(model: nn.Module, kept: Mapping[Group, Iterable[int] | Tensor]) -> nn.Module:
    """Return a copy of a network in which only some channels of some groups are left: fewer rows and columns.

    `kept` maps groups of this network to the indices of the channels that stay. Raises ValueError where
    none would stay, for an index that does not exist or comes twice, and for groups of another network.

    >>> from labkit import zoo
    >>> model = zoo.load("LeNet-5")
    >>> thinner = remove(model, {groups(model, (1, 28, 28))[1]: [3, 7]})
    >>> thinner.conv2.weight.shape, thinner.fc1.weight.shape
    (torch.Size([2, 20, 5, 5]), torch.Size([500, 32]))
    """
    model = copy.deepcopy(model)
    for group, indices in kept.items():
        index = _checked(model, group, indices)
        for path in group.producers:
            layer = model.get_submodule(path)
            layer.weight = layer.weight.select(index, 0)
            layer.bias = _picked(layer.bias, index)
            if getattr(layer, "groups", 1) > 1:  # one for each channel
                layer.groups = len(index)
        for path in group.norms:
            norm = model.get_submodule(path)
            for name in ("weight", "bias", "running_mean", "running_var"):
                setattr(norm, name, _picked(getattr(norm, name), index))
            norm.num_features = len(index)
        for path, spread in group.consumers:
            layer = model.get_submodule(path)
            layer.weight = layer.weight.select(columns(index, spread), 1)
    return model


def columns(index: Tensor, spread: int) -> Tensor:
    """Return the columns of channels (k,) that have `spread` columns each, (k * spread,).

    >>> columns(torch.tensor([0, 2]), 3).tolist()
    [0, 1, 2, 6, 7, 8]
    """
    return (index[:, None] * spread + torch.arange(spread, device=index.device)).flatten()


def image_shape(model: nn.Module, data: Data | None) -> tuple[int, int, int]:
    """Return the shape of the pictures that a network takes; raise ValueError where nothing says it."""
    origin = getattr(model, "origin", None)
    if data is None and origin is None:
        raise ValueError("to see what hangs together a picture runs through the network: call prepare(model, data)")
    return origin[1] if data is None else data.image_shape


def _checked(model: nn.Module, group: Group, indices: Iterable[int] | Tensor) -> Tensor:
    weight = model.get_submodule(group.producers[0]).weight
    index = sorted(map(int, indices))
    name = group.producers[0]
    if weight.shape[0] != group.width:
        raise ValueError(f"{name} has {weight.shape[0]} outputs, not {group.width}: find the groups of this network")
    if not index or index[0] < 0 or index[-1] >= group.width or len(set(index)) < len(index):
        raise ValueError(
            f"{name} cannot keep the outputs {str(index)[:60]}: give at least one of 0 to {group.width - 1}, each once"
        )
    return torch.tensor(index, device=weight().device)


def _picked(numbers: Tensor | None, index: Tensor) -> Tensor | None:
    if numbers is None:
        return None
    picked = numbers.detach()[index]
    return nn.Parameter(picked, numbers.requires_grad) if isinstance(numbers, nn.Parameter) else picked
