"""The layers a file may name. Whatever a file says, nothing but what stands here is ever built.

Each kind says how a layer becomes a list of arguments, and how the layer is made from them again.
A layer that is not listed keeps its place in the network that it came from, and the file holds
only its numbers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from labkit.grid import Grid
from labkit.layers import Conv2d, Linear
from labkit.orbits import OrbitBias, OrbitNorm, OrbitPool
from labkit.storage.errors import FileError
from labkit.weights import Dense, Weight

# layers without numbers, and the arguments that make them
PLAIN: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Identity: (),
    nn.Flatten: ("start_dim", "end_dim"),
    nn.ReLU: ("inplace",),
    nn.ReLU6: ("inplace",),
    nn.LeakyReLU: ("negative_slope", "inplace"),
    nn.ELU: ("alpha", "inplace"),
    nn.SiLU: ("inplace",),
    nn.Hardswish: ("inplace",),
    nn.Hardsigmoid: ("inplace",),
    nn.Hardtanh: ("min_val", "max_val", "inplace"),
    nn.Sigmoid: (),
    nn.Tanh: (),
    nn.Softmax: ("dim",),
    nn.LogSoftmax: ("dim",),
    nn.Dropout: ("p", "inplace"),
    nn.Dropout2d: ("p", "inplace"),
    nn.MaxPool2d: ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"),
    nn.AvgPool2d: ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
    nn.AdaptiveAvgPool2d: ("output_size",),
    nn.AdaptiveMaxPool2d: ("output_size", "return_indices"),
    OrbitPool: ("turns",),
}
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
CONV_OPTIONS = ("groups", "stride", "padding", "dilation", "padding_mode")
CONV_DEFAULTS = [1, [1, 1], [0, 0], [1, 1], "zeros"]
PADDINGS = ("zeros", "reflect", "replicate", "circular", "same", "valid")
LARGEST_OPTION = 256  # no step, border or window of a real layer is wider

_BY_NAME = {kind.__name__: kind for kind in (*PLAIN, *NORMS, Linear, Conv2d, Grid, OrbitNorm, OrbitBias)}


def describe(layer: nn.Module, numbers: Callable[[object], object]) -> dict | None:
    """Return {kind: arguments} for a layer that is listed, else None; `numbers` writes a Weight or tensor."""
    kind = type(layer)
    if kind in PLAIN:
        arguments = [_plain(_checked(getattr(layer, name))) for name in PLAIN[kind]]
        return {kind.__name__: _shortened(arguments, _defaults(kind))}
    if kind in NORMS:
        tensors = [layer.weight, layer.bias, layer.running_mean, layer.running_var]
        tracked = None if layer.num_batches_tracked is None else int(layer.num_batches_tracked)
        options = [layer.eps, layer.momentum, layer.num_features]
        return {kind.__name__: [*map(numbers, tensors), tracked, *options[: 2 + all(part is None for part in tensors)]]}
    if kind in (Linear, Conv2d, nn.Linear, nn.Conv2d):
        weight = layer.weight if isinstance(layer.weight, Weight) else Dense(layer.weight)
        arguments = [numbers(weight), numbers(layer.bias)]
        if kind in (Conv2d, nn.Conv2d):
            options = [_plain(_checked(getattr(layer, name))) for name in CONV_OPTIONS[1:]]
            arguments += _shortened([layer.groups, *options], CONV_DEFAULTS)
        if getattr(layer, "grid", None) is not None:
            arguments.append(describe(layer.grid, numbers))
        return {kind.__name__: arguments}
    if kind is OrbitNorm:
        return {"OrbitNorm": [layer.turns, *describe(layer.norm, numbers)["BatchNorm3d"]]}
    if kind is OrbitBias:
        return {"OrbitBias": [layer.turns, numbers(layer.values)]}
    if kind is Grid:
        scale = float(str(np.float32(layer.scale)))  # the fewest digits that name this float32
        return {"Grid": [layer.bits, scale, layer.zero, *[True] * layer.symmetric]}
    return None


def build(name: str, arguments: list, numbers: Callable[[object], object]) -> nn.Module:
    """Make a layer from what `describe` returned; `numbers` reads a Weight, tensor or None."""
    kind = _BY_NAME.get(name)
    if kind is None or not isinstance(arguments, list):
        raise FileError(f"a layer of kind {name!r} is not one that this lab knows")
    if kind in PLAIN:
        return kind(*map(_checked, arguments))
    if kind in NORMS:
        return _norm(kind, [numbers(part) for part in arguments[:4]], *arguments[4:])
    if kind in (OrbitNorm, OrbitBias):
        return _of_orbits(kind, arguments, numbers)
    return _grid(arguments) if kind is Grid else _layer(kind, arguments, numbers)


def _layer(kind: type, arguments: list, numbers: Callable[[object], object]) -> nn.Module:
    """Make a layer that holds a Weight, with the grid of its input where the last argument is one."""
    name, grid = kind.__name__, None
    if len(arguments) > 2 and isinstance(arguments[-1], dict):
        *arguments, last = arguments
        if list(last) != ["Grid"]:
            raise FileError(f"a {name} has something else where a grid should be")
        grid = _grid(last["Grid"])
    weight, bias = numbers(arguments[0]), numbers(arguments[1])
    if not isinstance(weight, Weight) or not (bias is None or isinstance(bias, Tensor)):
        raise FileError(f"a {name} needs a Weight and a bias")
    if not arguments[2:]:
        return kind(weight, bias, grid=grid)
    groups, *others = arguments[2:]
    if type(groups) is not int or groups < 1 or weight.shape[0] % groups:
        raise FileError(f"a {name} with {weight.shape[0]} outputs has {str(groups)[:40]} groups")
    options = dict(zip(CONV_OPTIONS[1:], map(_checked, others), strict=False))
    if min(*options.get("stride", (1, 1)), *options.get("dilation", (1, 1))) < 1:
        raise FileError(f"a {name} has a stride or dilation below 1")
    return kind(weight, bias, grid=grid, groups=groups, **options)


def _grid(arguments: object) -> Grid:
    """Make a grid; raise FileError for one that cannot be."""
    try:
        return Grid(*arguments)
    except (TypeError, ValueError) as error:
        raise FileError("a grid is not of so many bits, a step above 0 and a zero on it") from error


def _norm(kind: type, parts: list, tracked: int | None, eps: float, momentum: float | None, width=0) -> nn.Module:
    """Make a batch normalisation as wide as its tensors."""
    given = [part for part in parts if part is not None]
    width = len(given[0]) if given else width
    right = [isinstance(part, Tensor) and tuple(part.shape) == (width,) and part.is_floating_point() for part in given]
    if not 0 < width < 2**20 or not all(right):
        raise FileError("the parts of a batch normalisation are not equally long lists of numbers")
    weight, bias, mean, variance = parts
    if (mean is None) != (variance is None) or (mean is None) != (tracked is None):
        raise FileError("a batch normalisation lacks a part of its statistics")
    momentum = None if momentum is None else float(momentum)
    layer = kind(width, float(eps), momentum, affine=False, track_running_stats=mean is not None, device="meta")
    layer.affine = weight is not None or bias is not None
    layer.weight, layer.bias = (None if part is None else nn.Parameter(part) for part in (weight, bias))
    if mean is not None:
        layer.running_mean, layer.running_var = mean, variance
        layer.num_batches_tracked = torch.tensor(tracked, dtype=torch.int64)
    return layer


def _of_orbits(kind: type, arguments: list, numbers: Callable[[object], object]) -> OrbitNorm | OrbitBias:
    """Make what treats the maps of an orbit alike; raise FileError for one that has not all its parts."""
    turns, *inner = arguments
    if kind is OrbitNorm:
        made = build("BatchNorm3d", inner, numbers)
        parts = [made.weight, made.bias, made.running_mean, made.running_var]
    else:
        parts = [made := numbers(inner[0])]
    right = all(isinstance(part, Tensor) and part.ndim == 1 and part.is_floating_point() for part in parts)
    if type(turns) is not int or not 1 <= turns <= LARGEST_OPTION or not right:
        raise FileError(f"an {kind.__name__} lacks a part, or its number of turns")
    return kind(made, turns)


def _plain(option: object) -> object:
    """Return an option as JSON holds it."""
    return [_plain(side) for side in option] if isinstance(option, (tuple, list)) else option


def _checked(option: object) -> object:
    """Return an option as a layer takes it; raise FileError for one that no real layer has.

    Checked on both ways, so that what was saved can be loaded.
    """
    if isinstance(option, (list, tuple)) and len(option) <= 3:
        return tuple(_checked(side) for side in option)
    right = option is None or isinstance(option, (bool, float)) or option in PADDINGS
    if not right and not (type(option) is int and -LARGEST_OPTION <= option <= LARGEST_OPTION):
        raise FileError(f"an option of a layer is {str(option)[:40]!r}, which no layer of this lab has")
    return option


@lru_cache
def _defaults(kind: type) -> list:
    parameters = inspect.signature(kind).parameters
    return [parameters[name].default for name in PLAIN[kind]]


def _shortened(arguments: list, defaults: list) -> list:
    """Leave out the last arguments while they are what they would be anyway."""
    count = len(arguments)
    while count and arguments[count - 1] == defaults[count - 1]:
        count -= 1
    return arguments[:count]
