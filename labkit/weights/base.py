"""The Weight that every other derives from, and the Dense that stores what it shows."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Weight(nn.Module):
    """A weight of a layer, shape (out, in) or (out, in, height, width), computed when it is asked for.

    A subclass names its constructor's arguments like its attributes, each a tensor, another Weight,
    a whole number or a shape; nothing else is needed for it to be copied, counted, saved and loaded.
    It must define `forward` and `shape`, and may define a faster `linear` and `conv2d`.

    >>> class Repeated(Weight):
    ...     def __init__(self, row, times):
    ...         super().__init__()
    ...         self.row, self.times = as_weight(row), times
    ...     @property
    ...     def shape(self):
    ...         return torch.Size((self.times, *self.row.shape))
    ...     def forward(self):
    ...         return self.row().expand(self.shape)
    >>> Repeated(torch.ones(3), 2)().shape
    torch.Size([2, 3])
    """

    enrolled: ClassVar[dict[str, type[Weight]]] = {}
    stored: ClassVar[bool] = True  # False: only for training, and no file may name it
    sharing: float = 1.0  # how many weights use each stored number, on average
    inner: ClassVar[tuple[str, ...]] = ()  # attributes whose Weights hold one number for each they compute

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        if cls.stored:
            Weight.enrolled[cls.__name__] = cls

    @property
    def shape(self) -> torch.Size:
        """The shape of the weight that `forward` returns."""
        raise NotImplementedError(f"{type(self).__name__} must define its shape")

    def forward(self) -> Tensor:
        """Compute the dense weight."""
        raise NotImplementedError(f"{type(self).__name__} must compute its weight")

    def linear(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Multiply: x (…, in) becomes (…, out)."""
        return F.linear(x, self(), bias)

    def conv2d(self, x: Tensor, bias: Tensor | None, stride, padding, dilation, groups) -> Tensor:
        """Convolve: x (n, in, height, width) becomes (n, out, height', width')."""
        return F.conv2d(x, self(), bias, stride, padding, dilation, groups)

    def macs(self) -> int:
        """Count the multiplications for one position of the output."""
        return math.prod(self.shape)

    def conv_macs(self, before: tuple[int, int], after: tuple[int, int], groups: int, padding) -> int:
        """Count the multiplications of a convolution from a picture of (height, width) `before` to one `after`."""
        return self.macs() * math.prod(after)

    def frozen(self) -> Weight:
        """Return a Weight that computes the same, after all that a picture has no part in was computed once."""
        parts = self.arguments().items()
        return type(self)(**{name: Dense(one().detach()) if isinstance(one, Weight) else one for name, one in parts})

    def take(self, positions: Tensor) -> Weight:
        """Return the numbers at some flat positions as a Weight of their own, shape (positions,)."""
        return Dense(self().detach().flatten()[positions])

    def select(self, index: Tensor, dim: int) -> Weight:
        """Return some rows (dim 0: outputs) or columns (dim 1: inputs) as a Weight, those at `index` (k,).

        >>> Dense(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).select(torch.tensor([1]), 0)().tolist()
        [[3.0, 4.0]]
        """
        return Dense(self().detach().index_select(dim, index))

    def arguments(self) -> dict[str, Tensor | Weight | int | tuple[int, ...]]:
        """Return what the constructor needs to make this Weight again."""
        return {
            name: getattr(self, name) for name in inspect.signature(type(self).__init__).parameters if name != "self"
        }

    def leaves(self, path: str, matrices: bool = False) -> Iterator[tuple[str, Weight]]:
        """Walk down to the Weights that hold one number for each number shown.

        A method compresses these. With `matrices`, stop before what has fewer than two dimensions:
        the values of a Sparse have no rows and columns, the Sparse itself has.
        """
        inside = [(name, getattr(self, name)) for name in self.inner]
        if matrices:
            inside = [(name, part) for name, part in inside if len(part.shape) >= 2]
        if not inside:
            yield path, self
        for name, part in inside:
            yield from part.leaves(f"{path}.{name}", matrices)

    def extra_repr(self) -> str:
        return " x ".join(str(side) for side in self.shape)


class Dense(Weight):
    """A weight that is stored as it is.

    >>> Dense(torch.eye(2))().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, values: Tensor):
        super().__init__()
        if not values.is_floating_point():
            raise TypeError(f"values of a Dense must be floating point, not {values.dtype}")
        self.values = values if isinstance(values, nn.Parameter) else nn.Parameter(values.detach().clone())

    @property
    def shape(self) -> torch.Size:
        return self.values.shape

    def forward(self) -> Tensor:
        return self.values


CACHE = 2**17  # numbers that stay in a processor's cache while they are worked on


def in_parts(product: Callable[[Tensor], Tensor], x: Tensor, each: int) -> Tensor:
    """Multiply (pictures, in) to (pictures, out), so few pictures at a time that what lies between stays in the cache.

    `each` is how many numbers a picture has there. A large intermediate result costs more than the sums in it.

    >>> in_parts(lambda part: 2 * part, torch.ones(3, 1), each=CACHE).tolist()
    [[2.0], [2.0], [2.0]]
    """
    few = max(1, CACHE // each)
    return product(x) if len(x) <= few else torch.cat([product(part) for part in x.split(few)])


def as_weight(numbers: Weight | Tensor) -> Weight:
    """Wrap a tensor in a Dense; leave a Weight as it is.

    >>> type(as_weight(torch.ones(2))).__name__
    'Dense'
    """
    return numbers if isinstance(numbers, Weight) else Dense(numbers)


def check_whole(name: str, numbers: Tensor, below: int) -> None:
    """Raise unless all numbers are whole and from 0 to below `below`; `name` is the argument's."""
    if numbers.is_floating_point() or numbers.is_complex() or numbers.dtype == torch.bool:
        raise TypeError(f"{name} must be whole numbers, not {numbers.dtype}")
    if numbers.numel() and not 0 <= int(numbers.min()) <= int(numbers.max()) < below:
        raise ValueError(
            f"{name} reach from {int(numbers.min())} to {int(numbers.max())}, but must lie from 0 to {below - 1}"
        )


def check_scale(scale: Weight, codes: Tensor) -> None:
    """Raise ValueError unless there is one scale for all codes, (1,), or one for each row of them, (out,)."""
    rows = tuple(codes.shape[:1]) if codes.ndim > 1 else (1,)
    if codes.ndim < 1 or tuple(scale.shape) not in {(1,), rows}:
        allowed = f"(1,) or ({codes.shape[0]},)" if codes.ndim > 1 else "(1,)"
        raise ValueError(
            f"scale has shape {tuple(scale.shape)}, but for codes {tuple(codes.shape)} it must be {allowed}"
        )


def spread(scale: Tensor, weight: Tensor) -> Tensor:
    """Give a scale for each row (out,) or for all (1,) the dimensions that multiply a weight (out, ...).

    >>> spread(torch.ones(4), torch.ones(4, 3, 5, 5)).shape
    torch.Size([4, 1, 1, 1])
    """
    return scale.view(-1, *[1] * (weight.ndim - 1))
