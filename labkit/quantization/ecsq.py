"""Entropy-constrained scalar quantization: clusters that are cheap to name, found by turns.

    minimise  sum_i h_i (w_i - c_{a(i)})^2 + lambda sum_i l_{a(i)},   l_j = -log2 p_j bits

over centroids c, shares p and assignment a (Chou 1989; networks: Choi 2017). Three steps, and none of
them raises the sum: each weight takes the cheapest cluster, each centroid becomes the weighted mean of
its cluster, and each code length follows from how often its code is used. Rare clusters get dearer, and
die out.

A weight may now pass over its nearest centroid for a shorter code, the more so the less it matters: it
minimises (w - c_j)^2 + (lambda / h) l_j. For one h these are parabolas of the same shape, so each
cluster is an interval of w: j takes over from i < j at

    t_ij = (c_i + c_j) / 2 + (lambda / h) (l_j - l_i) / (2 (c_j - c_i)),

and a cluster whose successor takes over before it does is in no use. So h is rounded to powers of 2 (it
is an estimate, after all), and the weights of one level of h are sorted: then an iteration takes
O(levels k log n) for n weights and k clusters, on prefix sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.clusters import prefix_sums
from labkit.storage.huffman import entropy

ITERATIONS = 50
SETTLED = 1e-4  # of the sum: an iteration that gains less is the last
FINER = 2  # how many times finer the first grid is than the one that is best for a price
MOST_STEPS = 4096  # of a grid
TRIALS = 16
CLOSE = 0.02  # bits


class Levels:
    """Weights sorted by the level of their h, then by value, with what the sums over intervals need.

    Weights (n,) and h (n,), h > 0; `h` (levels,) becomes the powers of 2 that occur.
    """

    def __init__(self, values: np.ndarray, h: np.ndarray):
        powers, level = np.unique(np.round(np.log2(h)), return_inverse=True)
        self.h = 2.0**powers
        self.low, self.span = float(values.min()), float(np.ptp(values)) or 1.0
        keys = 2 * level + (values - self.low) / self.span  # ascend over all levels: one search finds every interval
        self.order = np.argsort(keys, kind="stable")
        self.keys, self.values = keys[self.order], values[self.order]
        self.sums = prefix_sums(self.values)
        rounded = self.h[level]
        self.mean_h, self.energy = float(rounded.mean()), float(rounded @ values**2)

    def find(self, level: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return where in the sorted row a value `at` would stand within its level."""
        return np.searchsorted(self.keys, 2 * level + np.clip((at - self.low) / self.span, -0.5, 1.5))


@dataclass(frozen=True)
class Runs:
    """An assignment: run r of the sorted row, `sizes[r]` weights of one level, has the code `symbols[r]`."""

    level: np.ndarray
    symbols: np.ndarray
    sizes: np.ndarray


def assign(levels: Levels, centroids: np.ndarray, lengths: np.ndarray, price: float) -> Runs:
    """Give each weight the cheapest cluster: the least h (w - c_j)^2 + price l_j.

    `centroids` (k,) ascend, each another; `lengths` (k,) are code lengths l in bits, and `price` is
    lambda, in weighted error for a bit (Chou 1989).

    >>> levels = Levels(np.array([0.0, 0.4, 0.6, 1.0]), np.ones(4))
    >>> assign(levels, np.array([0.0, 1.0]), np.array([1.0, 2.0]), 0.5).sizes.tolist()  # change at 0.75, not 0.5
    [3, 1]
    """
    level = np.repeat(np.arange(len(levels.h)), len(centroids))
    symbols = np.tile(np.arange(len(centroids)), len(levels.h))
    while True:
        i, j = symbols[:-1], symbols[1:]
        with np.errstate(divide="ignore", invalid="ignore"):  # where one level ends and the next begins
            tax = price / levels.h[level[1:]] * (lengths[j] - lengths[i]) / (2 * (centroids[j] - centroids[i]))
        changes = (centroids[i] + centroids[j]) / 2 + tax
        changes[level[1:] != level[:-1]] = -np.inf  # the first cluster of a level begins with it
        begins, ends = np.append(-np.inf, changes), np.append(changes, np.inf)
        ends[np.isneginf(ends)] = np.inf
        used = begins < ends
        if used.all():
            break
        level, symbols = level[used], symbols[used]
    starts = levels.find(level, begins)
    return Runs(level, symbols, np.diff(starts, append=len(levels.values)))


@dataclass(frozen=True)
class Quantizer:
    """A codebook found: centroids (k,) ascending, all in use, who uses them, and what that costs."""

    centroids: np.ndarray
    runs: Runs
    bits: float  # entropy of the codes, for each weight
    error: float  # sum h (w - c)^2


def settle(levels: Levels, centroids: np.ndarray, price: float, iterations: int = ITERATIONS) -> Quantizer:
    """Take turns from a start, centroids (k,) ascending, until an iteration gains next to nothing (Chou 1989).

    >>> settle(Levels(np.array([0.0, 0.1, 1.0]), np.ones(3)), np.array([0.0, 1.0]), 0.0).centroids.tolist()
    [0.05, 1.0]
    """
    lengths, last = np.zeros(len(centroids)), np.inf  # the first assignment is to the nearest
    for _ in range(iterations):
        found, counts = _improve(levels, assign(levels, centroids, lengths, price), len(centroids))
        cost = found.error + price * len(levels.values) * found.bits
        if cost >= last * (1 - SETTLED):
            break
        centroids, lengths, last = found.centroids, np.log2(counts.sum() / counts), cost
    return found


def _improve(levels: Levels, runs: Runs, count: int) -> tuple[Quantizer, np.ndarray]:
    """Return the best codebook for an assignment to `count` clusters, and how many weights use each value."""
    h = levels.h[runs.level]
    sums = h * np.diff(levels.sums[np.append(0, np.cumsum(runs.sizes))])
    counts, masses, sums = (np.bincount(runs.symbols, part, count) for part in (runs.sizes, h * runs.sizes, sums))
    used = np.flatnonzero(counts)
    means = sums[used] / masses[used]
    # With h so different, means may change their order, and two clusters may meet in one value.
    centroids, place = np.unique(means, return_inverse=True)
    symbols = np.zeros(count, np.int64)
    symbols[used] = place
    counts = np.bincount(place, counts[used])
    error = max(0.0, levels.energy - float(sums[used] @ means))
    return Quantizer(centroids, Runs(runs.level, symbols[runs.symbols], runs.sizes), entropy(counts), error), counts


def quantizer(levels: Levels, bits: float) -> Quantizer:
    """Find the price at which the codes have an entropy of so many bits, and the codebook at that price.

    Cells of equal width s, then entropy coding, are about the best there is for a small s (Choi 2017).
    Their error is mean(h) s^2 / 12 for each weight, and one bit more halves s. So a bit is worth

        lambda = mean(h) s^2 ln(2) / 6,

    and each price begins with such an even grid, but one `FINER` times finer: clusters can die, not be
    born. The search is by false position on log2(s). Where the weights have too few different values
    for so many bits, it ends with all of them.

    >>> levels = Levels(np.random.RandomState(0).standard_normal(10_000), np.ones(10_000))
    >>> abs(quantizer(levels, 2.0).bits - 2.0) < CLOSE
    True
    """
    low, high = np.log2(levels.span / MOST_STEPS), np.log2(levels.span)
    step = (low + high) / 2
    best, slope, before = None, -1.0, None
    for _ in range(TRIALS):
        found = _at_step(levels, 2.0**step)
        if best is None or abs(found.bits - bits) < abs(best.bits - bits):
            best = found
        if abs(found.bits - bits) <= CLOSE or high - low < 1e-3:
            break
        low, high = (step, high) if found.bits > bits else (low, step)
        if before is not None and before[0] != step:
            slope = min(-0.25, (found.bits - before[1]) / (step - before[0]))
        before = step, found.bits
        step += (bits - found.bits) / slope
        if not low < step < high:
            step = (low + high) / 2
    return best


def _at_step(levels: Levels, step: float) -> Quantizer:
    low, high = np.floor(levels.low / step), np.ceil((levels.low + levels.span) / step)
    price = FINER**2 * levels.mean_h * step**2 * np.log(2) / 6
    return settle(levels, np.arange(low, high + 1) * step, price)
