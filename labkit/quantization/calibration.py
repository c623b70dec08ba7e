"""Which range of numbers an even grid should cover: all of them, nearly all, or what costs the least error.

A wide range wastes its points on a few large numbers, a narrow one cuts these off. Everything is computed
from one histogram, in which each bin also keeps the sum of its numbers. With the points q_0 < q_1 < ... < q_t
a step s apart, and their middles m_j = (q_j + q_(j+1)) / 2, summing by parts gives

    sum_i (w_i - w^_i)^2 = sum_i w_i^2 + n q_t^2 - 2 q_t sum_i w_i - 2 s sum_j (m_j n_j - s_j),

where n_j numbers lie below m_j and s_j is their sum. So two prefix sums are read at each middle, and that is
all: the time depends on the points of the grid, not on how many numbers there are. Affine grids and the
choice of their range: Jacob 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.grid import SMALLEST, highest

BINS = 2048
CANDIDATES = 80  # ranges that are tried, from 1/80 of the widest to the widest
WORK = 1 << 19  # points of grids looked at in one go: more would not fit the processor's cache


class Histogram:
    """Rows of numbers, counted in equal bins between two ends for each row.

    `low`, `high` and `squares` (the sum of all squares) have shape (rows,); `counts` and `sums` are prefix sums,
    (rows, BINS + 1): how many numbers lie in the bins before each edge, and their sum. All are float64.
    Raises ValueError for ends that are not finite.

    >>> histogram = Histogram.of(torch.tensor([[0.0, 1.0, 4.0]]))
    >>> histogram.counts[0, -1].item(), histogram.sums[0, -1].item(), histogram.squares.item()
    (3.0, 5.0, 17.0)
    """

    def __init__(self, low: Tensor, high: Tensor):
        if not bool(torch.isfinite(high - low).all()):
            raise ValueError("NaN or infinite numbers have no range: train the network again, or load it again")
        self.low, self.high = low.double(), high.double()
        self.counts, self.sums = torch.zeros(2, len(low), BINS + 1, dtype=torch.float64)
        self.squares = torch.zeros(len(low), dtype=torch.float64)

    @classmethod
    def of(cls, rows: Tensor) -> Histogram:
        """Count rows of numbers (rows, columns) between the smallest and the largest of each."""
        if rows.ndim != 2 or not rows.numel():
            raise ValueError(f"numbers of shape {tuple(rows.shape)} have no range: give at least one row of one number")
        histogram = cls(*rows.aminmax(dim=1))
        histogram.add(rows)
        return histogram

    def add(self, rows: Tensor) -> None:
        """Count more numbers (rows, columns); one that lies outside of the ends goes into the bin beside it."""
        where = (rows - self.low[:, None]).div_(self._width[:, None]).long().clamp_(0, BINS - 1)
        where = where.add_(BINS * torch.arange(len(rows))[:, None]).flatten()
        counts = torch.bincount(where, minlength=len(rows) * BINS).double()
        sums = torch.bincount(where, rows.flatten().double(), len(rows) * BINS)
        for prefix, numbers in ((self.counts, counts), (self.sums, sums)):
            prefix[:, 1:] += numbers.view(-1, BINS).cumsum(1)
        self.squares += rows.double().square_().sum(1)

    @property
    def edges(self) -> Tensor:
        """The edges of the bins, (rows, BINS + 1)."""
        return self.low[:, None] + self._width[:, None] * torch.arange(BINS + 1)

    @property
    def _width(self) -> Tensor:
        # Where all numbers are one, any width will do.
        return torch.where(self.high > self.low, (self.high - self.low) / BINS, 1.0)

    def squared_error(self, scale: Tensor, zero: Tensor, top: int) -> Tensor:
        """Sum the squared errors of grids, scale and zero of shape (rows, grids); the same shape.

        An edge between two points of a grid is moved to the nearest edge of a bin.
        """
        middles = scale[..., None] * (torch.arange(top) + 0.5 - zero[..., None])
        edges = (middles - self.low[:, None, None]).div_(self._width[:, None, None]).round_().clamp_(0, BINS).long()
        counts, sums = (prefix.gather(1, edges.flatten(1)).view_as(edges) for prefix in (self.counts, self.sums))
        last = scale * (top - zero)
        whole = self.squares[:, None] + last * (last * self.counts[:, -1:] - 2 * self.sums[:, -1:])
        return whole - 2 * scale * (middles.mul_(counts).sub_(sums)).sum(-1)


def min_max(histogram: Histogram, bits: int, symmetric: bool) -> tuple[Tensor, Tensor]:
    """Cover all numbers: from the smallest of each row to the largest, two tensors (rows,).

    >>> [end.item() for end in min_max(Histogram.of(torch.tensor([[0.0, 1.0, 4.0]])), 8, False)]
    [0.0, 4.0]
    """
    return histogram.low, histogram.high


def percentile(histogram: Histogram, bits: int, symmetric: bool, share: float = 99.9) -> tuple[Tensor, Tensor]:
    """Cover the middle `share` percent of the numbers of each row, to the width of a bin: two tensors (rows,).

    >>> [round(end.item()) for end in percentile(Histogram.of(torch.arange(1000.0)[None]), 8, False, share=90)]
    [50, 949]
    """
    if not 0 < share <= 100:
        raise ValueError(f"share is {share}, but must be a percentage above 0 and up to 100, for example 99.9")
    out = (100 - share) / 200 * histogram.counts[:, -1:]  # numbers left out on each side
    below = torch.searchsorted(histogram.counts, out, right=True) - 1
    above = torch.searchsorted(histogram.counts, histogram.counts[:, -1:] - out)
    low, high = (histogram.edges.gather(1, edge.clamp(0, BINS))[:, 0] for edge in (below, above))
    return low, torch.minimum(high, histogram.high)


def mse(histogram: Histogram, bits: int, symmetric: bool) -> tuple[Tensor, Tensor]:
    """Cover the range, of 80 that shrink evenly, in which rounding and cutting off cost the least squared error.

    >>> rows = torch.cat([torch.linspace(-1, 1, 999), torch.tensor([3.0])])[None]
    >>> [round(end.item(), 1) for end in mse(Histogram.of(rows), 2, symmetric=True)]
    [-0.7, 0.7]
    """
    low, high = widest(histogram.low, histogram.high, symmetric)
    shares = torch.arange(1, CANDIDATES + 1, dtype=torch.float64) / CANDIDATES
    top = highest(bits, symmetric)
    errors = []
    for part in shares.split(max(1, WORK // (len(low) * (top + 1)))):
        scale, zero = scale_and_zero(low[:, None] * part, high[:, None] * part, bits, symmetric)
        errors.append(histogram.squared_error(scale.double(), zero.double(), top))
    best = shares[torch.cat(errors, 1).argmin(1)]
    return low * best, high * best


CALIBRATIONS = {"min_max": min_max, "percentile": percentile, "mse": mse}


def checked(calibration: str) -> str:
    """Return the name of a calibration; raise ValueError for one that does not exist.

    >>> checked("entropy")
    Traceback (most recent call last):
    ValueError: calibration is 'entropy', but must be one of min_max, percentile, mse
    """
    if calibration not in CALIBRATIONS:
        raise ValueError(f"calibration is {calibration!r}, but must be one of {', '.join(CALIBRATIONS)}")
    return calibration


def widest(low: Tensor, high: Tensor, symmetric: bool) -> tuple[Tensor, Tensor]:
    """Widen a range until 0 is in it, or, for a symmetric grid, in its middle."""
    if symmetric:
        reach = torch.maximum(low.abs(), high.abs())
        return -reach, reach
    return low.clamp(max=0), high.clamp(min=0)


def scale_and_zero(low: Tensor, high: Tensor, bits: int, symmetric: bool) -> tuple[Tensor, Tensor]:
    """Return the step (float32) and the code of 0 (int32) of the grids that cover ranges, all of one shape.

        s = (high - low) / top,   z = round(-low / s),   top = 2^b - 1, or 2^b - 2 for a symmetric grid,

    after the range was widened to hold 0, which the rounding of z makes a point of the grid.

    >>> scale_and_zero(torch.tensor([-1.0]), torch.tensor([2.0]), 2, symmetric=False)
    (tensor([1.]), tensor([1], dtype=torch.int32))
    >>> scale_and_zero(torch.tensor([-1.0]), torch.tensor([2.0]), 2, symmetric=True)
    (tensor([2.]), tensor([1], dtype=torch.int32))
    """
    low, high = widest(low.double(), high.double(), symmetric)
    top = highest(bits, symmetric)
    scale = ((high - low) / top).float().clamp(min=SMALLEST)
    zero = torch.full_like(scale, top // 2) if symmetric else torch.round(-low / scale).clamp(0, top)
    return scale, zero.int()
