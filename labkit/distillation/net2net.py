"""Net2Net: a wider or deeper network that begins as exactly the same function (Chen 2016).

    wider:   unit j of the new layer is a copy of unit g(j); what reads unit i divides by the number of its copies
    deeper:  behind a ReLU comes a layer that is the identity, and another ReLU, which changes nothing

A batch normalisation is copied with its unit. Behind a new layer it gets the scale and shift that undo it.
"""

from __future__ import annotations

import copy
from collections import OrderedDict

import torch
from torch import Tensor, nn

from labkit.channels import Group, columns, groups
from labkit.layers import Conv2d, Linear
from labkit.weights import Dense


@torch.no_grad()
def wider(
    model: nn.Module,
    image_shape: tuple[int, int, int],
    layer: str,
    width: int,
    random: torch.Generator,
    noise: float = 0.0,
) -> nn.Module:
    """Return a copy in which a layer, and those that it is added to, have `width` outputs, and the same answers.

    The first outputs stay in their places, the others are copies drawn at random. `noise` is the standard deviation of
    what is added to the copies, as a share of that of the weights: equal units would else learn the same. Weights
    become dense. Raises ValueError for a layer whose outputs cannot be copied, and for a width below the present one.

    >>> from labkit import zoo
    >>> model, x = zoo.load("LeNet-300-100"), torch.randn(2, 1, 28, 28)
    >>> large = wider(model, (1, 28, 28), "fc1", 400, torch.Generator().manual_seed(0))
    >>> large.fc1.weight.shape, torch.allclose(large(x), model(x), atol=1e-4)
    (torch.Size([400, 784]), True)
    """
    group = _group(model, image_shape, layer)
    if width < group.width:
        raise ValueError(f"width is {width}, but {layer} has {group.width} outputs already: give as many or more")
    copies = torch.randint(group.width, (width - group.width,), generator=random)
    source = torch.cat((torch.arange(group.width), copies))
    share = 1 / torch.bincount(source, minlength=group.width)[source]
    large = copy.deepcopy(model)
    for path in group.producers:
        part = large.get_submodule(path)
        weight = part.weight()[source]
        if noise:
            drawn = torch.randn(weight[group.width :].shape, generator=random)
            weight[group.width :] += noise * float(weight.std()) * drawn
        part.weight = Dense(weight)
        part.bias = None if part.bias is None else nn.Parameter(part.bias[source])
        if getattr(part, "groups", 1) > 1:  # one for each channel
            part.groups = width
    for path in group.norms:
        norm = large.get_submodule(path)
        for name in ("weight", "bias", "running_mean", "running_var"):
            numbers = getattr(norm, name)
            if numbers is not None:
                picked = numbers[source]
                setattr(norm, name, nn.Parameter(picked) if isinstance(numbers, nn.Parameter) else picked)
        norm.num_features = width
    for path, spread in group.consumers:
        part = large.get_submodule(path)
        weight = part.weight()[:, columns(source, spread)]
        part.weight = Dense(weight * share.repeat_interleave(spread).view(1, -1, *[1] * (weight.ndim - 2)))
    return large


@torch.no_grad()
def deeper(model: nn.Module, relu: str, images: Tensor) -> nn.Module:
    """Return a copy with a new layer behind a ReLU (its path), the identity at first, and the same answers.

    `images` are pictures as the network reads them: they say whether the layer is a matrix or a convolution, and with
    which mean and variance a batch normalisation has to reckon, where the network has them. Raises ValueError for a
    module that is no ReLU.

    >>> from labkit import zoo
    >>> model, x = zoo.load("VGG"), torch.randn(8, 1, 28, 28)
    >>> large = deeper(model, "relu3", x)
    >>> large.relu3.layer.weight.shape, torch.allclose(large(x), model(x), atol=1e-3)
    (torch.Size([64, 64, 3, 3]), True)
    """
    places = dict(model.named_modules())
    if not isinstance(places.get(relu), nn.ReLU):
        known = ", ".join(path for path, part in places.items() if isinstance(part, nn.ReLU))
        raise ValueError(f"{relu!r} is no ReLU, behind which alone an identity changes nothing: choose one of {known}")
    y = _output(model, relu, images)
    parts: OrderedDict[str, nn.Module] = OrderedDict(before=nn.ReLU(), layer=_identity(y))
    if any(isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) for part in places.values()):
        parts["norm"] = _undone(y)
    parts["after"] = nn.ReLU()
    large = copy.deepcopy(model)
    large.set_submodule(relu, nn.Sequential(parts).train(model.training))
    return large


def _group(model: nn.Module, image_shape: tuple[int, int, int], layer: str) -> Group:
    """Return the group whose outputs a layer makes."""
    found = groups(model, image_shape)
    for group in found:
        if layer in group.producers:
            return group
    known = ", ".join(path for group in found for path in group.producers)
    raise ValueError(f"{layer!r} cannot be wider: choose one of {known}")


def _output(model: nn.Module, path: str, images: Tensor) -> Tensor:
    """Return what a module puts out in evaluation mode."""
    seen: list[Tensor] = []
    model = copy.deepcopy(model).eval()
    model.get_submodule(path).register_forward_hook(lambda module, args, y: seen.append(y.clone()))
    model(images)
    return seen[0]


def _identity(y: Tensor) -> nn.Module:
    """Make the layer that leaves activations (n, width) or (n, channels, height, width) as they are."""
    if y.ndim == 2:
        return Linear(Dense(torch.eye(y.shape[1])))
    return Conv2d(Dense(nn.init.dirac_(torch.empty(y.shape[1], y.shape[1], 3, 3))), padding=1)


def _undone(y: Tensor) -> nn.Module:
    """Make the batch normalisation whose scale and shift give activations back as they came."""
    norm = (nn.BatchNorm1d if y.ndim == 2 else nn.BatchNorm2d)(y.shape[1])
    over = [0, *range(2, y.ndim)]
    norm.running_mean.copy_(y.mean(over))
    norm.running_var.copy_(y.var(over))
    norm.weight.copy_((norm.running_var + norm.eps).sqrt())
    norm.bias.copy_(norm.running_mean)
    return norm
