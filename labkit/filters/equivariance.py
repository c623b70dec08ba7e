"""Does a network answer a turned picture with turned maps? The equivariance error, in one number.

    error = || Phi(T x) - T' Phi(x) || / || Phi(x) ||

T turns the picture, and T' the maps: each by the same angle, and where a filter has t orientations, its maps also move
on by as many places as the angle has steps of 360 / t degrees. The error is 0 where Phi is equivariant, up to rounding,
and about 1.4 where turned picture and turned maps have nothing in common.
"""

from __future__ import annotations

from torch import Tensor, nn

from labkit import inside
from labkit.rotated import turned


def maps(model: nn.Module, images: Tensor, layer: str) -> Tensor:
    """Return what a module of a network puts out for pictures (n, channels, height, width).

    Raises ValueError for a module that does not exist.

    >>> import torch
    >>> from labkit import zoo
    >>> maps(zoo.load("VGG"), torch.zeros(1, 1, 28, 28), "pool1").shape
    torch.Size([1, 32, 14, 14])
    """
    places = dict(model.named_modules())
    if layer not in places:
        named = ", ".join(name for name, _ in model.named_children())
        raise ValueError(f"layer {layer!r} does not exist: choose one of {named}")
    return inside.maps(model, [layer], images)[0]


def acted(maps: Tensor, degrees: float, turns: int = 1) -> Tensor:
    """Turn maps (n, filters * turns, height, width), and move those of each filter on: T' of the equation.

    An angle between two steps moves them on as the nearer step does.

    >>> import torch
    >>> acted(torch.tensor([[[[1.0]], [[2.0]], [[3.0]], [[4.0]]]]), 90, turns=4).flatten().tolist()
    [4.0, 1.0, 2.0, 3.0]
    """
    steps = round(degrees * turns / 360)
    return turned(maps, degrees).unflatten(1, (-1, turns)).roll(steps, 2).flatten(1, 2)


def equivariance_error(model: nn.Module, images: Tensor, layer: str, degrees: float = 90, turns: int = 1) -> float:
    """Return by what share of their norm the maps of turned pictures differ from the turned maps.

    `turns` says how many orientations a filter has. Raises ValueError for a module that does not exist.

    >>> import torch
    >>> from labkit import zoo
    >>> from labkit.filters import P4
    >>> pictures = torch.randn(2, 1, 28, 28)
    >>> equivariance_error(P4().prepare(zoo.load("VGG")).at(4), pictures, "relu6", turns=4) < 1e-5
    True
    """
    straight = maps(model, images, layer)
    return missed(straight, acted(straight, degrees, turns), maps(model, turned(images, degrees), layer))


def missed(straight: Tensor, expected: Tensor, found: Tensor) -> float:
    """Return by what share of the norm of the `straight` maps those that were found differ from those expected.

    >>> import torch
    >>> missed(torch.tensor([3.0, 4.0]), torch.tensor([4.0, 3.0]), torch.tensor([4.0, 8.0]))
    1.0
    """
    return float((found - expected).norm() / straight.norm().clamp_min(1e-30))
