"""Multiplications of one forward pass: what a network costs on paper."""

from __future__ import annotations

import torch
from torch import nn

from labkit.layers import Layer

COUNTED = (Layer, nn.Linear, nn.Conv2d)
Calls = list[tuple[str, torch.Size, torch.Size]]


def macs(model: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Count the multiplications of all fully connected and convolutional layers for one picture.

    A dense layer takes out * in * height * width / groups of them for each position of its output;
    a Sparse one takes one for each number stored, a LowRank one r (out + in), and a chain of thin convolutions
    those of each, at the positions of its own output.

    >>> from labkit import zoo
    >>> macs(zoo.build("LeNet-5"), (1, 28, 28))
    2293000
    """
    return counted(model, calls(model, image_shape))


@torch.no_grad()
def calls(model: nn.Module, image_shape: tuple[int, int, int]) -> Calls:
    """Run one picture and list each use of a layer: its path, and the shapes of what it reads and makes.

    >>> from labkit import zoo
    >>> calls(zoo.build("LeNet-300-100"), (1, 28, 28))[0]
    ('fc1', torch.Size([784]), torch.Size([300]))
    """
    found: Calls = []
    layers = {path: module for path, module in model.named_modules() if isinstance(module, COUNTED)}
    training = [module for module in model.modules() if module.training]
    device = next((tensor.device for tensor in model.state_dict().values()), None)
    hooks = []
    try:
        for path, layer in layers.items():
            hooks.append(layer.register_forward_hook(_noting(found, path)))
        model.eval()
        model(torch.zeros(1, *image_shape, device=device))
    finally:
        for hook in hooks:
            hook.remove()
        for module in training:
            module.training = True
    return found


def counted(model: nn.Module, uses: Calls) -> int:
    """Add up the multiplications of layers whose uses are known, without running the model.

    The uses of a network hold for each model with the same layers, however compressed: a weight
    changes how many multiplications a position of the output takes, not how many positions there are.
    """
    return sum(_at(model.get_submodule(path), before, after) for path, before, after in uses)


def same_layers(model: nn.Module, uses: Calls) -> bool:
    """Say whether a model has just the layers that were used."""
    used = {path for path, *_ in uses}
    return {path for path, module in model.named_modules() if isinstance(module, COUNTED)} == used


def _noting(found: Calls, path: str):
    """Return a hook that adds one use of a layer to those found."""
    return lambda _, x, y: found.append((path, x[0].shape[1:], y.shape[1:]))


def _at(layer: nn.Module, before: torch.Size, after: torch.Size) -> int:
    if isinstance(layer, Layer):
        return layer.macs(before, after)
    positions = after.numel() // after[-1] if isinstance(layer, nn.Linear) else after[-2:].numel()
    return layer.weight.numel() * positions
