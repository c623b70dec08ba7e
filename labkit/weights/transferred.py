"""Filters that stand for several: each stored one is used in a few transformed copies, its orbit.

    W = [T_1 F; T_2 F; ...; T_c F],   c filters for each one that is stored

The copies of one filter stand beside each other: output c j + k is copy k of filter j. Each entry of W is one stored
number, or its opposite, so that the survey's transforms are fixed linear maps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.weights.base import Weight, as_weight


class Transferred(Weight):
    """A weight (out, ...) whose rows are copies of fewer `filters` (out / copies, ...), rounded up.

    A subclass says which copies, in `orbit`. Of the last filter's copies only those up to `out` are used.
    """

    inner = ("filters",)
    # `sharing` stays 1: a batch normalisation behind takes out how large the steps are. From a learning rate of 0.05 to
    # 0.2, the validation accuracy of P4CNN is the same within noise.

    def __init__(self, filters: Weight | Tensor, copies: int, out: int):
        super().__init__()
        self.filters, self._copies, self._out = as_weight(filters), copies, out
        if type(copies) is not int or type(out) is not int or not 1 <= copies <= out:
            raise ValueError(f"copies is {copies!r}, but for {out!r} outputs must be a whole number from 1 to {out!r}")
        count = math.ceil(out / copies)
        if len(self.filters.shape) < 2 or self.filters.shape[0] != count:
            raise ValueError(
                f"filters {tuple(self.filters.shape)} with {copies} copies each make no {out} outputs: "
                f"there must be {count} of them"
            )

    @property
    def copies(self) -> int:
        """How many filters each stored one stands for."""
        return self._copies

    @property
    def out(self) -> int:
        """How many filters there are in all."""
        return self._out

    @property
    def shape(self) -> torch.Size:
        return torch.Size((self.out, *self.filters.shape[1:]))

    def orbit(self, filters: Tensor) -> Tensor:
        """Transform filters (n, ...) into all their copies (n, copies, in, ...): linear in the filters."""
        raise NotImplementedError(f"{type(self).__name__} must say which copies a filter stands for")

    def written(self, filters: Tensor) -> Tensor:
        """Write filters out as the weight that they stand for."""
        return self.orbit(filters).flatten(0, 1)[: self.out]

    def forward(self) -> Tensor:
        return self.written(self.filters())

    def select(self, index: Tensor, dim: int) -> Weight:
        if dim == 1 and self.shape[1] == self.filters.shape[1]:
            return type(self)(**self.arguments() | {"filters": self.filters.select(index, 1)})
        return super().select(index, dim)


class Pointwise(Transferred):
    """Copies whose outputs follow from that of the first: one convolution serves all of an orbit."""

    @property
    def signs(self) -> tuple[float, ...]:
        """What the output of each copy is, as a multiple of that of the filter itself."""
        raise NotImplementedError(f"{type(self).__name__} must say what its copies put out")

    def orbit(self, filters: Tensor) -> Tensor:
        signs = filters.new_tensor(self.signs).view(-1, *[1] * (filters.ndim - 1))
        return filters.unsqueeze(1) * signs

    def many(self, y: Tensor, dim: int) -> Tensor:
        """Make the outputs of all copies from those of the filters, which lie along a dimension."""
        # Channels last, so that the copies of a number lie beside it in memory, in the layout of all our networks.
        y = y.movedim(dim, -1).unsqueeze(-1) * y.new_tensor(self.signs)
        return y.flatten(-2).narrow(-1, 0, self.out).movedim(-1, dim)

    def linear(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        y = self.many(F.linear(x, self.filters()), x.ndim - 1)
        return y if bias is None else y + bias

    def conv2d(self, x: Tensor, bias: Tensor | None, stride, padding, dilation, groups) -> Tensor:
        if groups > 1:  # a filter and its copies may belong to different groups
            return super().conv2d(x, bias, stride, padding, dilation, groups)
        y = self.many(F.conv2d(x, self.filters(), None, stride, padding, dilation), 1)
        return y if bias is None else y + bias[:, None, None]

    def macs(self) -> int:
        return math.prod(self.filters.shape)

    def conv_macs(self, before: tuple[int, int], after: tuple[int, int], groups: int, padding) -> int:
        return (self.macs() if groups == 1 else math.prod(self.shape)) * math.prod(after)


class Negated(Pointwise):
    """Each filter and its opposite: W = [F; -F], half the numbers and half the multiplications.

    A ReLU behind it is CReLU: max(0, F x) and max(0, -F x), so that nothing of F x is lost (Shang 2016). `filters`
    is (out / 2, ...), rounded up. Raises ValueError for as many filters as do not make `out`.

    >>> Negated(torch.tensor([[1.0, 2.0]]), 2)().tolist()
    [[1.0, 2.0], [-1.0, -2.0]]
    """

    def __init__(self, filters: Weight | Tensor, out: int):
        super().__init__(filters, 2, out)

    @property
    def signs(self) -> tuple[float, ...]:
        return 1.0, -1.0


class Copied(Pointwise):
    """Each filter several times: W = [F; F; ...], for layers that add another bias to each copy (Li 2016).

    `filters` is (out / copies, ...), rounded up; one convolution serves all copies. Raises ValueError for as many
    filters as do not make `out`.

    >>> Copied(torch.tensor([[1.0, 2.0]]), 3, 3)().tolist()
    [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]
    """

    @property
    def signs(self) -> tuple[float, ...]:
        return (1.0,) * self.copies
