"""Tensors as streams of bytes, and the few words about each that the file's structure holds.

In the structure a tensor is a list: its type, then its shape, as in ["f4p", 300, 784]. The type is
one of `DTYPES`, a "p" for what training moves, and the order of the dimensions in memory where that
is not the usual one: an output is the same to the last bit only if the order of summation is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from labkit.storage import floats, integers
from labkit.storage.errors import FileError
from labkit.storage.integers import Plan

DTYPES = {
    "f4": torch.float32,
    "f8": torch.float64,
    "f2": torch.float16,
    "b2": torch.bfloat16,
    "i1": torch.int8,
    "i2": torch.int16,
    "i4": torch.int32,
    "i8": torch.int64,
    "u1": torch.uint8,
    "u0": torch.bool,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
MOST_SIDES = 9
LARGEST_SIDE = 2**40
_TYPE = re.compile(r"([a-z]\d)(p?)(\d*)")


def describe(tensor: Tensor) -> list:
    """Return a tensor's type and shape as the structure holds them.

    >>> describe(torch.ones(2, 3).T)
    ['f410', 3, 2]
    """
    if tensor.dtype not in NAMES or tensor.layout != torch.strided or tensor.ndim > MOST_SIDES:
        allowed = ", ".join(str(dtype).removeprefix("torch.") for dtype in NAMES)
        raise ValueError(
            f"a tensor of {tensor.dtype}, {tensor.ndim} dimensions and layout {tensor.layout} cannot be saved: "
            f"convert it to a strided one of at most {MOST_SIDES} dimensions and one of {allowed}"
        )
    order = "".join(map(str, _order(tensor) or ()))
    return [NAMES[tensor.dtype] + "p" * isinstance(tensor, nn.Parameter) + order, *tensor.shape]


def plan(tensor: Tensor, grid: tuple[int, int] | None = None) -> Plan:
    """Choose how to write a tensor; see `integers.plan` for `grid`."""
    order = _order(tensor)
    flat = (tensor if order is None else tensor.permute(order)).detach().cpu().contiguous().flatten()
    if flat.dtype == torch.bfloat16:
        flat = flat.view(torch.int16)
        return floats.plan(flat.numpy())
    if flat.is_floating_point():
        return floats.plan(flat.numpy())
    return integers.plan(flat.to(torch.uint8).numpy() if flat.dtype == torch.bool else flat.numpy(), grid)


def parse(words: list) -> tuple[torch.dtype, bool, tuple[int, ...] | None, tuple[int, ...]]:
    """Read type, whether training moves it, order and shape; raise FileError for what cannot be."""
    match = _TYPE.fullmatch(words[0])
    shape = tuple(words[1:])
    if match is None or match[1] not in DTYPES or len(shape) > MOST_SIDES or not all(map(is_side, shape)):
        raise FileError("the type or shape of a tensor is not one that exists")
    order = tuple(map(int, match[3])) or None
    if order is not None and sorted(order) != list(range(len(shape))):
        raise FileError("the order of a tensor's dimensions does not fit its shape")
    moved = bool(match[2])
    if moved and not DTYPES[match[1]].is_floating_point:
        raise FileError("training cannot move whole numbers")
    return DTYPES[match[1]], moved, order, shape


def decode(data: bytes, words: list) -> Tensor:
    """Read a tensor; raise FileError where the stream does not hold what the structure says."""
    dtype, moved, order, shape = parse(words)
    count = math.prod(shape)
    if not count and data:
        raise FileError("a tensor without numbers has bytes")
    if dtype.is_floating_point:
        kind = np.dtype(np.int16) if dtype == torch.bfloat16 else _numpy(dtype)
        flat = torch.from_numpy(np.array(floats.decode(data, count, kind)))
        flat = flat.view(dtype) if dtype == torch.bfloat16 else flat
    else:
        flat = torch.from_numpy(integers.decode(data, count).astype(_numpy(dtype)))
    # torch's own memory is aligned for its fastest kernels, and another kernel may round differently
    stored = flat.clone().view([shape[side] for side in order] if order else shape)
    tensor = stored.permute([order.index(side) for side in range(len(shape))]) if order else stored
    return nn.Parameter(tensor) if moved else tensor


def _order(tensor: Tensor) -> tuple[int, ...] | None:
    """Return the dimensions from the slowest to the fastest in memory; None for the usual order."""
    if tensor.stride() == _strides(tensor.shape, range(tensor.ndim)):
        return None
    # Sides of 1 may stand anywhere, but a convolution chooses its kernel by their strides too.
    order = sorted(range(tensor.ndim), key=lambda side: (-tensor.stride(side), -tensor.shape[side]))
    return tuple(order) if tensor.stride() == _strides(tensor.shape, order) else None


def _strides(shape: torch.Size, order: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of a tensor without holes whose dimensions lie in some order."""
    strides, step = [0] * len(shape), 1
    for side in reversed(order):
        strides[side] = step
        step *= max(1, shape[side])
    return tuple(strides)


def is_side(side: object) -> bool:
    """Say whether something can be one side of a shape."""
    return type(side) is int and 0 <= side <= LARGEST_SIDE


def _numpy(dtype: torch.dtype) -> np.dtype:
    return np.dtype(str(dtype).removeprefix("torch."))
