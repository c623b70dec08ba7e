"""A compressed weight is computed from less than it shows: the one idea that everything stands on.

A `Weight` stores few numbers and computes a dense weight from them. The numbers inside a Weight
may themselves be a Weight, so methods stack: a `Sparse` whose values are a `Codebook` is Deep
Compression, a `LowRank` whose factors are `Codebook`s is factorise-then-quantise. Training through
any of them is plain autograd.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
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
    inner: ClassVar[tuple[str, ...]] = ()  # attributes whose Weights hold one number for each they compute

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
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

    def take(self, positions: Tensor) -> Weight:
        """Return the numbers at some flat positions as a Weight of their own, shape (positions,)."""
        return Dense(self().detach().flatten()[positions])

    def arguments(self) -> dict[str, Tensor | Weight | int | tuple[int, ...]]:
        """Return what the constructor needs to make this Weight again."""
        return {name: getattr(self, name) for name in inspect.signature(type(self).__init__).parameters if name != "self"}

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


class Codebook(Weight):
    """Every number is one of k shared values: w = centroids[codes].

    `codes` are whole numbers below k in the shape of the weight, `centroids` has shape (k,).

    >>> Codebook(torch.tensor([[0, 1], [1, 1]]), torch.tensor([-1.0, 2.0]))().tolist()
    [[-1.0, 2.0], [2.0, 2.0]]
    """

    def __init__(self, codes: Tensor, centroids: Weight | Tensor):
        super().__init__()
        self.centroids = as_weight(centroids)
        if len(self.centroids.shape) != 1:
            raise ValueError(f"centroids must have one dimension, not shape {tuple(self.centroids.shape)}")
        check_whole("codes", codes, self.centroids.shape[0])
        self.register_buffer("codes", codes.to(torch.int32))

    @property
    def shape(self) -> torch.Size:
        return self.codes.shape

    def forward(self) -> Tensor:
        return self.centroids().index_select(0, self.codes.flatten()).view(self.codes.shape)

    def take(self, positions: Tensor) -> Weight:
        return Codebook(self.codes.flatten()[positions], self.centroids)


class Sparse(Weight):
    """Most numbers are zero: only the others are stored, with their flat positions in ascending order.

    >>> Sparse(torch.tensor([1, 2]), torch.tensor([5.0, 6.0]), (2, 2))().tolist()
    [[0.0, 5.0], [6.0, 0.0]]
    """

    inner = ("values",)

    def __init__(self, positions: Tensor, values: Weight | Tensor, shape: tuple[int, ...]):
        super().__init__()
        values = as_weight(values)
        if positions.ndim != 1 or tuple(values.shape) != tuple(positions.shape):
            raise ValueError(f"positions {tuple(positions.shape)} and values {tuple(values.shape)} must be equally long")
        check_whole("positions", positions, math.prod(shape))
        if len(positions) > 1 and not bool((positions[1:] > positions[:-1]).all()):
            raise ValueError("positions must be in ascending order, each once")
        if isinstance(values, Sparse):  # zeros among the survivors: one list of positions says both
            positions, values = positions[values.positions], values.values
        self._shape = torch.Size(shape)
        self.values = values
        self.register_buffer("positions", positions.to(torch.int64))

    @property
    def shape(self) -> torch.Size:
        return self._shape

    def forward(self) -> Tensor:
        values = self.values()
        return values.new_zeros(self.shape.numel()).index_copy(0, self.positions, values).view(self.shape)

    def macs(self) -> int:
        return len(self.positions)


class LowRank(Weight):
    """A matrix of rank r as the product of two thin ones: W = u v, u (out, r), v (r, in).

    For a convolution the matrix is (out, in * height * width), and `shape` says so. The product with
    a picture never forms W: first v, then u, r (out + in) multiplications instead of out * in.

    >>> LowRank(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0, 4.0]]), (2, 2))().tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """

    inner = ("u", "v")

    def __init__(self, u: Weight | Tensor, v: Weight | Tensor, shape: tuple[int, ...]):
        super().__init__()
        self.u, self.v = as_weight(u), as_weight(v)
        rows, columns = shape[0], math.prod(shape[1:])
        (out, rank), (rank2, in_) = self._sides(self.u, "u"), self._sides(self.v, "v")
        if (out, in_) != (rows, columns) or rank != rank2 or rank < 1:
            raise ValueError(f"u {(out, rank)} and v {(rank2, in_)} do not multiply to shape {tuple(shape)}")
        self._shape = torch.Size(shape)

    @staticmethod
    def _sides(factor: Weight, name: str) -> tuple[int, int]:
        if len(factor.shape) != 2:
            raise ValueError(f"{name} must be a matrix, not of shape {tuple(factor.shape)}")
        return factor.shape[0], factor.shape[1]

    @property
    def shape(self) -> torch.Size:
        return self._shape

    def forward(self) -> Tensor:
        return (self.u() @ self.v()).view(self.shape)

    def linear(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        return self.u.linear(self.v.linear(x), bias)

    def conv2d(self, x: Tensor, bias: Tensor | None, stride, padding, dilation, groups) -> Tensor:
        if groups != 1:
            return super().conv2d(x, bias, stride, padding, dilation, groups)
        thin = F.conv2d(x, self.v().view(-1, *self.shape[1:]), None, stride, padding, dilation)
        return F.conv2d(thin, self.u()[:, :, None, None], bias)

    def macs(self) -> int:
        return self.u.macs() + self.v.macs()


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
        raise ValueError(f"{name} reach from {int(numbers.min())} to {int(numbers.max())}, but must lie from 0 to {below - 1}")
