"""From which size on a structured matrix is faster: time against n, beside numbers, bytes and multiplications.

O(n log n) beats O(n^2) in the end. Where, depends on how well a processor does either: a product of matrices runs at
most of its speed, an FFT or a small transform at a small part of it, and a single input leaves little to share out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit import storage
from labkit.latency import Clock, Ratio, in_turns, ratio_of
from labkit.layers import Linear
from labkit.replacing import stored
from labkit.structured.base import Structured
from labkit.structured.blockcirculant import BlockCirculant
from labkit.structured.circulant import Circulant
from labkit.structured.fastfood import Fastfood
from labkit.structured.monarch import Monarch
from labkit.structured.rivals import LowRank
from labkit.structured.toeplitzlike import ToeplitzLike
from labkit.threads import threads
from labkit.weights import Dense, Weight

SIZES = tuple(2**power for power in range(6, 14))
BATCHES = (1, 256)
ROUNDS = 9
DENSE = "dense"
# Each structure with the value of its knob at a size n.
STRUCTURES: dict[str, tuple[type[Structured], Callable[[int], float]]] = {
    "circulant": (Circulant, lambda n: 1),
    "block-circulant, b = 64": (BlockCirculant, lambda n: 64),
    "Toeplitz-like, r = 1": (ToeplitzLike, lambda n: 1),
    "Toeplitz-like, r = 4": (ToeplitzLike, lambda n: 4),
    "Fastfood": (Fastfood, lambda n: 1),
    "Monarch, √n blocks": (Monarch, lambda n: 2 ** (n.bit_length() // 2)),
    "low rank, r = 4": (LowRank, lambda n: 4),
}


@dataclass(frozen=True)
class Timed:
    """One structure of n x n at one size of a batch: what it stores, and how long a product takes.

    `seconds` is the median of one call. `ratio` says how many times faster than the dense matrix it is, beside the
    control in which the dense one runs against itself.
    """

    structure: str
    n: int
    batch: int
    numbers: int
    bytes: int
    macs: int
    seconds: float
    ratio: Ratio


def against_n(
    sizes: Sequence[int] = SIZES,
    batches: Sequence[int] = BATCHES,
    structures: Sequence[str] = tuple(STRUCTURES),
    budget_s: float = 40.0,
    rounds: int = ROUNDS,
    clock: Clock = time.perf_counter,
) -> Iterator[Timed]:
    """Time products with n x n matrices, the smallest first, as they would be deployed and in one thread.

    At each n and batch the dense matrix, the dense one again and the structures take turns. A size that would not fit
    into what is left of `budget_s` seconds, by what the one before took, is left out, and so are all above it; the
    smallest is always timed. Raises ValueError for a size below 2, an unknown structure and fewer than three rounds.

    >>> found = list(against_n(sizes=(64,), batches=(1,), structures=("circulant",), rounds=3))
    >>> [(one.structure, one.numbers) for one in found]
    [('dense', 4096), ('circulant', 64)]
    """
    unknown = [name for name in structures if name not in STRUCTURES]
    if unknown or min(sizes, default=0) < 2:
        raise ValueError(
            f"sizes are {tuple(sizes)} and structures {tuple(structures)}: give sizes from 2, and structures out of "
            f"{', '.join(STRUCTURES)}"
        )
    end, took = clock() + budget_s, 0.0
    for n in sorted(sizes):
        begin = clock()
        if took and 4 * took > end - begin:  # twice n is four times the dense matrix
            return
        weights = {name: square(name, n) for name in structures}
        dense = torch.randn(n, n, generator=torch.Generator().manual_seed(0)).div_(n**0.5)  # 8192 takes 268 MB: no copy
        about = {name: _paper(n, weight) for name, weight in ((DENSE, None), *weights.items())}
        for batch in batches:
            times = _times(dense, weights, batch, rounds, clock, budget_s / (len(sizes) * len(batches)))
            *columns, again = times.T
            for name, seconds in zip(about, columns, strict=True):
                found = ratio_of(columns[0], again, again if name == DENSE else seconds)
                yield Timed(name, n, batch, *about[name], float(np.median(seconds)), found)
        took = clock() - begin


def square(structure: str, n: int) -> Weight:
    """Draw a structured matrix (n, n) as it would be deployed: what no input changes was computed before."""
    method, value = STRUCTURES[structure]
    generator = torch.Generator().manual_seed(0)
    weight = method("random").draw((n, n), value(n), n**-0.5, generator).requires_grad_(False)
    for numbers in weight.parameters():  # as after training: no two alike, or the file would be smaller
        numbers *= 1 + 0.01 * torch.randn(numbers.shape, generator=generator)
    return weight.frozen()


def _times(
    dense: Tensor, weights: dict[str, Weight], batch: int, rounds: int, clock: Clock, budget_s: float
) -> np.ndarray:
    """Return the seconds of a product with the dense matrix, each weight and the dense one again, taking turns."""
    x = torch.randn(batch, len(dense), generator=torch.Generator().manual_seed(1))
    products = [lambda: F.linear(x, dense), *(lambda weight=weight: weight.linear(x) for weight in weights.values())]
    with threads(1), torch.inference_mode():
        return in_turns([*products, products[0]], rounds, clock, budget_s=budget_s)


def _paper(n: int, weight: Weight | None) -> tuple[int, int, int]:
    """Return the numbers, the bytes of the file and the multiplications of a layer; None stands for the dense one."""
    if weight is None:  # its file is not made, since at the largest size that takes seconds
        small = storage.size(nn.Sequential(Linear(Dense(torch.zeros(2, 2)))))
        return n * n, 4 * n * n + small.parts[storage.STRUCTURE], n * n
    return stored(weight), storage.size(nn.Sequential(Linear(weight))).total, weight.macs()


def crossing(found: Sequence[Timed], structure: str, batch: int) -> int | None:
    """Return the least n from which on a structure is really faster than dense at all sizes timed; None for none.

    >>> crossing([], "circulant", 1) is None
    True
    """
    least = None
    for one in sorted(found, key=lambda one: -one.n):
        if one.structure == structure and one.batch == batch:
            if not (one.ratio.real and one.ratio.value > 1):
                break
            least = one.n
    return least
