"""A convolution computed as several thin ones, one after the other, so that its dense weight is never formed."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from labkit.weights.base import Weight

Pair = tuple[int, int]


@dataclass(frozen=True)
class Thin:
    """One thin convolution: a factor's numbers, the shape (out, in / groups, height, width) in which they
    convolve, and whether it is the one that moves over the rows or the columns of the picture.

    The one that moves over an axis takes over the stride, the padding and the dilation of the whole there.
    """

    factor: Weight
    shape: tuple[int, int, int, int]
    rows: bool = False
    columns: bool = False
    groups: int = 1

    @property
    def numbers(self) -> Tensor:
        """The factor, in the shape in which it convolves."""
        return self.factor().view(self.shape)

    def along(self, whole: Pair, elsewhere: int) -> Pair:
        """Return a pair of settings (rows, columns): those of the whole for the axes that this one moves over."""
        return whole[0] if self.rows else elsewhere, whole[1] if self.columns else elsewhere


class Chain(Weight):
    """A Weight that convolves as a chain of thin layers; a subclass says which, in `thin`.

    A convolution in groups, and one padded by name ("same"), are computed with the dense weight.
    """

    def thin(self) -> tuple[Thin, ...]:
        """Return the thin convolutions, the one that reads the picture first; exactly one moves over each axis."""
        raise NotImplementedError(f"{type(self).__name__} must say which thin layers it is computed by")

    @staticmethod
    def applies(groups: int, padding: str | Pair | int) -> bool:
        """Say whether a convolution with these settings runs as a chain."""
        return groups == 1 and not isinstance(padding, str)

    def conv2d(self, x: Tensor, bias: Tensor | None, stride, padding, dilation, groups) -> Tensor:
        if not self.applies(groups, padding):
            return super().conv2d(x, bias, stride, padding, dilation, groups)
        padding = (padding, padding) if isinstance(padding, int) else padding
        *first, last = self.thin()
        for thin in first:
            x = _convolve(x, thin, None, stride, padding, dilation)
        return _convolve(x, last, bias, stride, padding, dilation)

    def macs(self) -> int:
        return sum(thin.factor.macs() for thin in self.thin())

    def conv_macs(self, before: Pair, after: Pair, groups: int, padding: str | Pair) -> int:
        if not self.applies(groups, padding):
            return super().conv_macs(before, after, groups, padding)
        total, (height, width) = 0, before
        for thin in self.thin():
            height = after[0] if thin.rows else height
            width = after[1] if thin.columns else width
            total += thin.factor.macs() * height * width
        return total


def _convolve(x: Tensor, thin: Thin, bias: Tensor | None, stride: Pair, padding: Pair, dilation: Pair) -> Tensor:
    moves = thin.along(stride, 1), thin.along(padding, 0), thin.along(dilation, 1)
    return F.conv2d(x, thin.numbers, bias, *moves, thin.groups)
