"""What a decomposition costs in seconds as layers grow, which the survey counts among the drawbacks of low rank.

A kernel of width w is (w, w, 3, 3). The SVD of its matrix (w, 9 w) takes O(w^3), and so do the two of the HOSVD;
HOOI repeats such SVDs, and CP solves least-squares problems in O(w^2 R) again and again, with R growing as w.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from labkit.lowrank.als import RIDGE
from labkit.lowrank.cp import decompose
from labkit.lowrank.hosvd import hooi, hosvd, unfold
from labkit.lowrank.svd import svd
from labkit.lowrank.tensortrain import TensorTrain
from labkit.table import Cell, Table
from labkit.threads import threads
from labkit.weights import Dense

WIDTHS = (16, 32, 64, 128, 256)
REPEATS = 3
GUESS = 3.0  # the growth that is assumed before two widths were timed
LEFT_OUT = "left out"
Clock = Callable[[], float]
WORKS: dict[str, Callable[[Tensor], object]] = {
    "SVD": lambda kernel: svd(unfold(kernel, 0)),
    "Tensor train": lambda kernel: TensorTrain().fit(Dense(kernel)).cores(_rank(kernel)),
    "HOSVD": lambda kernel: hosvd(kernel),
    "HOOI, at most 20 iterations": lambda kernel: hooi(kernel, hosvd(kernel).at((_rank(kernel),) * 2), 20),
    "CP": lambda kernel: decompose(hosvd(kernel.double()), kernel, _rank(kernel), RIDGE),
}
NOTE = (
    "Median processor time of one layer in one thread; rank w/2, random numbers. The growth is the exponent p of the\n"
    "width w in seconds ~ w^p between the two largest widths timed: at 3, twice the width takes eight times as long."
)


def _rank(kernel: Tensor) -> int:
    return len(kernel) // 2


def cost(widths: Sequence[int] = WIDTHS, budget_s: float = 15.0, clock: Clock = time.thread_time) -> Table:
    """Time the decompositions of this section on kernels (w, w, 3, 3) of several widths w, in about `budget_s` seconds.

    The time is that of the processor, which other programs do not lengthen. A width that would take a decomposition
    beyond its share of the time, by what the widths before it took, is left out, and the table says so. Raises
    ValueError for a width below 2, fewer than two widths, and a budget that is not above 0.

    >>> table = cost(widths=(4, 8), budget_s=1)
    >>> table.columns
    ('Decomposition', 'w = 4', 'w = 8', 'growth')
    """
    widths = sorted(set(widths))
    if len(widths) < 2 or widths[0] < 2 or budget_s <= 0:
        raise ValueError(
            f"widths are {widths} and budget_s {budget_s}: give two or more widths from 2, and time above 0"
        )
    generator = torch.Generator().manual_seed(0)
    kernels = [torch.randn(width, width, 3, 3, generator=generator) for width in widths]
    end = clock() + budget_s
    with threads(1):
        rows = [
            _row(name, work, kernels, max(0.0, end - clock()) / (len(WORKS) - done), clock)
            for done, (name, work) in enumerate(WORKS.items())
        ]
    columns = ("Decomposition", *(f"w = {width}" for width in widths), "growth")
    return Table(f"What a decomposition costs on this processor, PyTorch {torch.__version__}", columns, rows, NOTE)


def _row(name: str, work: Callable, kernels: list[Tensor], share_s: float, clock: Clock) -> list[Cell]:
    """Time one decomposition at all widths that its share of the time allows."""
    work(kernels[0])  # what is imported or set up at the first call is no cost of the decomposition
    begin = clock()
    times: dict[int, float] = {}
    cells: list[Cell] = []
    for kernel in kernels:
        if times and _expected(times, len(kernel)) > share_s - (clock() - begin):
            cells.append((LEFT_OUT, f"about {float(f'{_expected(times, len(kernel)):.1g}'):g} s"))
            continue
        found = _timed(work, kernel, share_s / len(kernels), clock)
        times[len(kernel)] = float(np.median(found))
        cells.append((f"{times[len(kernel)]:.2g} s", f"{len(found)} repeat{'s' * (len(found) > 1)}"))
    growth = _growth(times)
    return [(name, ""), *cells, ("unknown" if growth is None else f"{growth:.1f}", "")]


def _timed(work: Callable, kernel: Tensor, share_s: float, clock: Clock) -> list[float]:
    """Return the seconds of a few calls: at least one, and no more than fit into a share of the time."""
    found: list[float] = []
    while len(found) < REPEATS and sum(found) <= share_s:
        begin = clock()
        work(kernel)
        found.append(clock() - begin)
    return found


def _expected(times: dict[int, float], width: int) -> float:
    """Return the seconds that a width would take if they went on growing as so far."""
    last, growth = max(times), _growth(times)
    return times[last] * (width / last) ** (GUESS if growth is None else growth)


def _growth(times: dict[int, float]) -> float | None:
    """Return the exponent p of seconds ~ width^p between the two largest widths that a clock could tell from none."""
    seen = sorted((width, seconds) for width, seconds in times.items() if seconds > 0)[-2:]
    if len(seen) < 2:
        return None
    (small, before), (large, after) = seen
    return math.log(after / before) / math.log(large / small)
