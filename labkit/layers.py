"""Layers that hold a Weight, and how a network gets them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.grid import Grid
from labkit.weights import Dense, Weight


class Linear(nn.Module):
    """A fully connected layer, y = W x + b, whose W (out, in) is a Weight; a `grid` rounds x first.

    >>> Linear(Dense(torch.ones(2, 3)), None)(torch.ones(1, 3)).tolist()
    [[3.0, 3.0]]
    """

    def __init__(self, weight: Weight, bias: Tensor | None = None, grid: Grid | None = None):
        super().__init__()
        if len(weight.shape) != 2:
            raise ValueError(f"weight of a Linear must have two dimensions, not shape {tuple(weight.shape)}")
        self.weight = weight
        self.bias = _as_bias(bias, weight.shape[0])
        self.grid = grid

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.grid is None else self.grid(x)
        return self.weight.linear(x, self.bias)

    def macs(self, before: torch.Size, after: torch.Size) -> int:
        """Count the multiplications for one picture, given the shapes of what the layer reads and makes of it."""
        return self.weight.macs() * (after.numel() // after[-1])


class Conv2d(nn.Module):
    """A convolution, y = W * x + b, whose W (out, in / groups, height, width) is a Weight; a `grid` rounds x first."""

    def __init__(
        self,
        weight: Weight,
        bias: Tensor | None = None,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        padding_mode="zeros",
        grid: Grid | None = None,
    ):
        super().__init__()
        if len(weight.shape) != 4:
            raise ValueError(f"weight of a Conv2d must have four dimensions, not shape {tuple(weight.shape)}")
        self.weight = weight
        self.bias = _as_bias(bias, weight.shape[0])
        self.stride, self.dilation = _pair(stride), _pair(dilation)
        self.padding = padding if isinstance(padding, str) else _pair(padding)
        self.groups, self.padding_mode = groups, padding_mode
        self.grid = grid

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.grid is None else self.grid(x)
        padding = self.padding
        if self.padding_mode != "zeros":
            if isinstance(padding, str):
                raise ValueError(
                    f"padding {padding!r} with mode {self.padding_mode!r} is not supported: give it in pixels"
                )
            x = F.pad(x, (padding[1], padding[1], padding[0], padding[0]), self.padding_mode)
            padding = 0
        return self.weight.conv2d(x, self.bias, self.stride, padding, self.dilation, self.groups)

    def macs(self, before: torch.Size, after: torch.Size) -> int:
        """Count the multiplications for one picture, given the shapes of what the layer reads and makes of it."""
        return self.weight.conv_macs(tuple(before[-2:]), tuple(after[-2:]), self.groups, self.padding)


Layer = Linear | Conv2d


def adopt(model: nn.Module) -> nn.Module:
    """Return a copy of any network in which every nn.Linear and nn.Conv2d holds a Dense Weight.

    The copy computes the same outputs. Subclasses of the two stay as they are, since code
    elsewhere may reach into them. Raises ValueError where there is nothing to adopt.

    >>> adopt(nn.Sequential(nn.Linear(3, 2)))
    Sequential(
      (0): Linear(
        (weight): Dense(2 x 3)
      )
    )
    """
    model = copy.deepcopy(model)
    adopted: dict[nn.Module, nn.Module] = {}
    tensors: dict[Tensor, Dense] = {}  # two layers that share their tensor go on sharing it
    for module in list(model.modules()):
        if type(module) in (nn.Linear, nn.Conv2d):
            adopted[module] = _adopted(module, tensors)
    if not adopted and not any(isinstance(module, Layer) for module in model.modules()):
        raise ValueError("the model has no nn.Linear and no nn.Conv2d, so there is nothing to compress")
    if model in adopted:
        return adopted[model]
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):  # named_children would skip a second place
            if child in adopted:
                setattr(module, name, adopted[child])
    return model


def _adopted(module: nn.Linear | nn.Conv2d, tensors: dict[Tensor, Dense]) -> nn.Module:
    weight = tensors.setdefault(module.weight, Dense(module.weight))
    if isinstance(module, nn.Linear):
        layer: nn.Module = Linear(weight, module.bias)
    else:
        layer = Conv2d(
            weight, module.bias, module.stride, module.padding, module.dilation, module.groups, module.padding_mode
        )
    return layer.train(module.training)


def layers(model: nn.Module) -> dict[str, Layer]:
    """Map the path of each layer that holds a Weight to the layer, in the order of the network."""
    return {path: module for path, module in model.named_modules() if isinstance(module, Layer)}


def leaves(model: nn.Module, where: str | None = None, matrices: bool = False) -> Iterator[tuple[str, Weight]]:
    """Walk over the Weights that a method may replace, in one layer or (None) in all.

    See `Weight.leaves`. Raises ValueError for a layer that does not exist.
    """
    found = layers(model)
    if not found:
        raise ValueError("the model holds no Weights: call labkit.adopt(model) first")
    if where is not None and where not in found:
        raise ValueError(f"layer {where!r} does not exist: choose one of {', '.join(found)}")
    seen: set[int] = set()
    for path, layer in found.items():
        if where in (None, path) and id(layer.weight) not in seen:
            seen.add(id(layer.weight))
            yield from layer.weight.leaves(f"{path}.weight" if path else "weight", matrices)


def replace(model: nn.Module, new: Mapping[str, nn.Module]) -> nn.Module:
    """Return a copy of the model in which the modules at some paths are others.

    The copy shares nothing with the model but what is put in.
    """
    return copy.deepcopy(model, {id(model.get_submodule(path)): module for path, module in new.items()})


def _as_bias(bias: Tensor | None, out: int) -> nn.Parameter | None:
    if bias is None:
        return None
    if tuple(bias.shape) != (out,):
        raise ValueError(f"bias has shape {tuple(bias.shape)}, but the weight has {out} outputs")
    return bias if isinstance(bias, nn.Parameter) else nn.Parameter(bias.detach().clone())


def _pair(value) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
