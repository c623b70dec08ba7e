"""How much of a matrix is signal: the rank by empirical variational Bayesian matrix factorization (Nakajima 2013).

A matrix V (L, M), L <= M, is taken for a product of two thin Gaussian matrices plus noise of variance s^2. The
variational free energy says how well that explains V, and falls apart into one term for each singular value g. With
a = L / M and x = g^2 / (M s^2), a direction that is kept changes it, per M, by

    psi_1(x) = log(t + 1) + a log(t / a + 1) - t,   where x = (1 + t)(1 + a / t), t the larger root.

psi_1 is zero at t with log(1 + t) / t + log(1 + t / a) / (t / a) = 1, and negative beyond: this t, about
2.5129 sqrt(a) where a is near 1, gives the threshold g^2 > M s^2 (1 + t)(1 + a / t). The noise variance
is the one that makes

    sum over all g of  x - log x,  plus  sum over the kept ones of  psi_1(x)

smallest, between bounds that are known (Nakajima 2015). So the rank, the noise and the shrunken singular values
g t / x come from the singular values alone, and nothing has to be chosen.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

GRID = 512  # variances tried before the best is refined: each singular value may make a local minimum
ROUNDING = np.finfo(np.float32).eps  # no noise is smaller: weights are float32


@dataclass(frozen=True)
class Signal:
    """What is signal in a matrix: its rank, the variance of the noise, the singular value from which on a direction
    is kept, and the kept ones without what the noise adds to them, shrunk (rank,)."""

    rank: int
    noise: float
    threshold: float
    shrunk: np.ndarray


def vbmf(matrix: Tensor) -> Signal:
    """Tell signal from noise in a matrix, either side the longer; raise ValueError for what is no finite matrix.

    The rank stays below L / (1 + L / M), L the shorter side and M the longer: with as many directions as that,
    the noise could not be told (Nakajima 2015).

    >>> random = torch.Generator().manual_seed(0)
    >>> u, v = torch.randn(60, 5, generator=random), torch.randn(5, 200, generator=random)
    >>> found = vbmf(u @ v + 0.5 * torch.randn(60, 200, generator=random))
    >>> found.rank, round(found.noise, 2)
    (5, 0.25)
    """
    if matrix.ndim != 2 or not matrix.numel():
        raise ValueError(f"vbmf needs a matrix with rows and columns, but got shape {tuple(matrix.shape)}")
    if not bool(torch.isfinite(matrix).all()):
        raise ValueError("the matrix holds NaN or infinite numbers, in which no rank can be found")
    return signal(torch.linalg.svdvals(matrix.detach().double().cpu()).numpy(), tuple(matrix.shape))


def signal(s: np.ndarray, shape: tuple[int, int]) -> Signal:
    """Tell signal from noise in a matrix of a shape (rows, columns), given all its singular values s (L,), falling.

    >>> signal(np.array([9.0, 1.1, 1.0, 0.9]), (4, 30)).rank
    1
    """
    short, long = sorted(shape)
    if s[0] == 0:
        return Signal(0, 0.0, 0.0, np.empty(0))
    alpha, scale = short / long, s[0] ** 2
    squares = np.maximum(s**2 / scale, (ROUNDING * long) ** 2)
    variance = noise_variance(squares / long, alpha)
    x = squares / (long * variance)
    kept = x > least_x(alpha)
    return Signal(
        rank=int(kept.sum()),
        noise=float(variance * scale),
        threshold=math.sqrt(long * variance * scale * least_x(alpha)),
        shrunk=(s * larger_root(x, alpha) / x)[kept],
    )


def noise_variance(squares: np.ndarray, alpha: float) -> float:
    """Return the variance that minimises the free energy, given g^2 / M (L,), falling, and a = L / M."""
    from scipy.optimize import minimize_scalar  # here, so that a panel that only lists the method opens without it

    most_kept = math.ceil(len(squares) / (1 + alpha)) - 1
    tail = squares[most_kept:]
    low, high = math.log(max(tail[0] / least_x(alpha), tail.mean())), math.log(squares.mean())

    def energy(logs: np.ndarray) -> np.ndarray:
        return free_energy(squares / np.exp(np.atleast_1d(logs))[:, None], alpha)

    grid = np.linspace(low, max(low, high), GRID)
    best = int(energy(grid).argmin())
    around = grid[max(0, best - 1)], grid[min(GRID - 1, best + 1)]
    if around[0] == around[1]:
        return math.exp(low)
    found = minimize_scalar(lambda log: energy(log)[0], bounds=around, method="bounded", options={"xatol": 1e-10})
    return math.exp(found.x)


def free_energy(x: np.ndarray, alpha: float) -> np.ndarray:
    """Return the free energy of x (..., L) per M, but for a constant: sum of x - log x, plus psi_1 of the kept."""
    kept = np.where(x > least_x(alpha), psi_1(larger_root(x, alpha), alpha), 0)
    return (x - np.log(x) + kept).sum(-1)


def psi_1(t: np.ndarray, alpha: float) -> np.ndarray:
    """Return what keeping a direction adds to the free energy, per M: log(t + 1) + a log(t / a + 1) - t."""
    return np.log1p(t) + alpha * np.log1p(t / alpha) - t


def larger_root(x: np.ndarray, alpha: float) -> np.ndarray:
    """Solve x = (1 + t)(1 + a / t) for the larger t, given x of at least (1 + sqrt(a))^2; below, as for that."""
    middle = np.maximum(x - 1 - alpha, 2 * math.sqrt(alpha))
    return (middle + np.sqrt(np.maximum(middle**2 - 4 * alpha, 0))) / 2


@functools.lru_cache(maxsize=1024)
def least_x(alpha: float) -> float:
    """Return the x above which a direction is kept, for a from above 0 to 1: (1 + t)(1 + a / t), psi_1 zero at t.

    >>> round(least_x(1.0), 4)
    4.9108
    """
    from scipy.optimize import brentq

    t = brentq(lambda t: psi_1(t, alpha) / t, 2 * alpha, 3)  # as log(1 + z) / z is above 1/2 at 2, and below it at 3
    return (1 + t) * (1 + alpha / t)
