"""What two networks must have in common for one to run with the other's weights."""

from __future__ import annotations

import types

from torch import nn

from labkit.layers import Layer

_SETTING = (int, float, str, tuple, type(None), types.FunctionType, types.BuiltinFunctionType)
_WIDTHS = ("num_features", "in_features", "out_features", "in_channels", "out_channels")  # torch's own words


def signature(model: nn.Module, widths: bool = True) -> tuple:
    """Describe the structure of a network without its numbers: equal structures, equal descriptions.

    With `widths` False networks are alike that differ only in how many units or filters a layer has.

    >>> signature(nn.Linear(2, 3)) == signature(nn.Linear(2, 3))
    True
    >>> signature(nn.Linear(2, 3)) == signature(nn.Linear(2, 4))
    False
    >>> signature(nn.Linear(2, 3), widths=False) == signature(nn.Linear(2, 4), widths=False)
    True
    """

    def shape(tensor) -> tuple | int:
        return tuple(tensor.shape) if widths else len(tensor.shape)

    if isinstance(model, Layer):  # which kind of Weight or which grid it holds does not matter: both are loaded
        inside: tuple = (shape(model.weight), model.grid is None)
    else:
        inside = tuple((name, signature(child, widths)) for name, child in model.named_children())
    passed = {"training", *(() if widths else _WIDTHS)}
    return (
        type(model),
        tuple(item for item in vars(model).items() if item[0] not in passed and isinstance(item[1], _SETTING)),
        tuple((name, None if tensor is None else shape(tensor)) for name, tensor in model._parameters.items()),
        inside,
    )
