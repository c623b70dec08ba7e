"""An even grid for what a layer reads: its input in so many bits, as whole numbers would hold it.

    x^ = s (clamp(round(x / s) + z, 0, top) - z),   top = 2^b - 1, or 2^b - 2 for a symmetric grid.

The numbers stay floating point: the grid shows what integers would do to the accuracy (Jacob 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST_BITS = 16
SMALLEST = torch.finfo(torch.float32).tiny  # a smaller step has no inverse in float32


def highest(bits: int, symmetric: bool) -> int:
    """Return the highest code: a symmetric grid leaves one out, to have as many below 0 as above.

    >>> highest(2, symmetric=False), highest(2, symmetric=True)
    (3, 2)
    """
    return 2**bits - 1 - symmetric


def steps(x: Tensor, scale: Tensor, zero: Tensor, top: int) -> Tensor:
    """Return how many steps from 0 the nearest point of the grid is, clamp(round(x / s), -z, top - z).

    `scale` and `zero` have a shape that fits x's, as has the result, whose numbers are whole; ties go to
    the even number. What is added to them is `zero`, then they are codes from 0 to `top`.

    >>> steps(torch.tensor([-9.0, 0.25, 0.75, 9.0]), torch.tensor(0.5), torch.tensor(1), 3).tolist()
    [-1.0, 0.0, 2.0, 2.0]
    """
    return torch.clamp(torch.round(x * (1 / scale)), -zero, top - zero)


class Grid(nn.Module):
    """Rounds each number to the nearest of 2^b at equal distances, one of which is exactly 0.

    `scale` is the step, in the unit of the numbers and as float32 holds it, `zero` the code that means 0,
    from 0 to 2^bits - 1. With `symmetric` the zero is in the middle and the highest code is not used.
    Where training needs a gradient, it is 1 inside of the grid's range and 0 outside (straight through).
    Raises ValueError for what is not a grid.

    >>> Grid(2, 0.5, 1)(torch.tensor([-9.0, 0.2, 0.3, 9.0])).tolist()
    [-0.5, 0.0, 0.5, 1.0]
    """

    def __init__(self, bits: int, scale: float, zero: int, symmetric: bool = False):
        super().__init__()
        self.set(bits, scale, zero, symmetric)

    def set(self, bits: int, scale: float, zero: int, symmetric: bool = False) -> None:
        """Take other numbers, after the same checks."""
        if type(bits) is not int or not 1 + bool(symmetric) <= bits <= MOST_BITS:
            raise ValueError(f"bits of a grid is {bits!r}, but must be a whole number from 1 (symmetric: 2) to 16")
        if type(scale) not in (int, float) or not 0 < scale < 2.0**128 or not SMALLEST <= _float32(scale) < 2.0**128:
            raise ValueError(f"scale of a grid is {scale!r}, but must be a number above 0 that float32 holds")
        if type(symmetric) is not bool or type(zero) is not int or not 0 <= zero < 2**bits:
            raise ValueError(f"zero of a grid is {zero!r}, but must be a whole number from 0 to {2**bits - 1}")
        if symmetric and zero != 2 ** (bits - 1) - 1:
            raise ValueError(f"zero of a symmetric grid is {zero}, but must be in its middle, {2 ** (bits - 1) - 1}")
        self.bits, self.scale, self.zero, self.symmetric = bits, _float32(scale), zero, symmetric

    @property
    def numbers(self) -> tuple[int, float, int, bool]:
        """What the constructor needs to make this grid again."""
        return self.bits, self.scale, self.zero, self.symmetric

    @property
    def ends(self) -> tuple[int, int]:
        """How many steps the lowest and the highest point are away from 0."""
        return -self.zero, highest(self.bits, self.symmetric) - self.zero

    def points(self) -> Tensor:
        """Return all points of the grid in ascending order, shape (top + 1,)."""
        low, high = self.ends
        return torch.arange(low, high + 1) * self.scale

    def refined(self) -> Grid:
        """Return the finest grid over the same range: what is left of this one when its steps are made small."""
        low, high = self.ends
        finer = (2**MOST_BITS - 1) // (high - low)
        return Grid(MOST_BITS, max(SMALLEST, self.scale / finer), -low * finer)

    def forward(self, x: Tensor) -> Tensor:
        low, high = self.ends
        if torch.is_grad_enabled() and x.requires_grad:
            return _StraightThrough.apply(x, self.scale, low, high)
        return (x * (1 / self.scale)).round_().clamp_(low, high).mul_(self.scale)

    def extra_repr(self) -> str:
        return f"{self.bits} bits, scale={self.scale:.4g}, zero={self.zero}" + ", symmetric" * self.symmetric


class _StraightThrough(torch.autograd.Function):
    """Rounding whose gradient is that of the clamp alone."""

    @staticmethod
    def forward(ctx, x: Tensor, scale: float, low: int, high: int) -> Tensor:
        found = torch.round(x * (1 / scale))
        ctx.save_for_backward((found >= low) & (found <= high))
        return found.clamp_(low, high).mul_(scale)

    @staticmethod
    def backward(ctx, slope: Tensor):
        (inside,) = ctx.saved_tensors
        return slope * inside, None, None, None


def _float32(number: float) -> float:
    return torch.tensor(number, dtype=torch.float32).item()
