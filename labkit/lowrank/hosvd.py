"""The higher-order SVD of a kernel along its outputs and inputs, and the iteration that improves it.

The HOSVD takes U (out, r_out) from the truncated SVD of the matrix (out, in * height * width), and V (r_in, in) from
that of (in, out * height * width); the core is the kernel with U' and V applied to its modes. Its squared error is at
most the sum of what the two cut off, and at most twice that of the best factors of these ranks (De Lathauwer 2000).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labkit.lowrank.backend import torch_backend
from labkit.lowrank.svd import svd

Ranks = tuple[int, int]  # of the outputs, of the inputs
Factors = tuple[Tensor, Tensor, Tensor]  # U (out, r_out), core (r_out, r_in, height, width), V (r_in, in)


def unfold(kernel: Tensor, mode: int) -> Tensor:
    """Lay a kernel out as a matrix whose rows are one of its modes: 0 the outputs, 1 the inputs.

    >>> unfold(torch.zeros(50, 20, 5, 5), 1).shape
    torch.Size([20, 1250])
    """
    return kernel.movedim(mode, 0).flatten(1)


@dataclass(frozen=True)
class HOSVD:
    """A kernel in the orthonormal bases of its outputs and of its inputs, the most important directions first.

    `u` is (out, k_out), `core` (k_out, k_in, height, width), `v` (k_in, in); `s_out` (k_out,) and `s_in` (k_in,)
    are the singular values of the two unfoldings. Whole, it is the kernel; any slice of the core is one for the
    ranks that it has.
    """

    u: Tensor
    core: Tensor
    v: Tensor
    s_out: Tensor
    s_in: Tensor

    def at(self, ranks: Ranks) -> Factors:
        """Cut to two ranks; one above what there is means all."""
        r_out, r_in = ranks
        return self.u[:, :r_out], self.core[:r_out, :r_in], self.v[:r_in]

    def energy(self, several: Iterable[Ranks]) -> np.ndarray:
        """Return the share of the squared norm that each pair of ranks keeps: 1 - error^2 / norm^2."""
        squares = self.core.double().square().sum((2, 3)).cumsum(0).cumsum(1)
        last_out, last_in = squares.shape
        kept = [squares[min(r_out, last_out) - 1, min(r_in, last_in) - 1] for r_out, r_in in several]
        return (torch.stack(kept) / squares[-1, -1].clamp_min(1e-300)).numpy()


def hosvd(kernel: Tensor) -> HOSVD:
    """Decompose a kernel (out, in, height, width) by two SVDs, once for all ranks (De Lathauwer 2000).

    >>> from labkit.weights import Tucker2
    >>> kernel = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(Tucker2(*hosvd(kernel).at((6, 4)))(), kernel, atol=1e-5)
    True
    """
    u, s_out, _ = svd(unfold(kernel, 0))
    v, s_in, _ = svd(unfold(kernel, 1))
    core = torch.einsum("or,oiyx,is->rsyx", u, kernel, v)  # G = W x_1 U' x_2 V
    return HOSVD(u, core, v.mT, s_out, s_in)


def hooi(kernel: Tensor, start: Factors, iterations: int) -> Factors:
    """Improve factors by at most so many higher-order orthogonal iterations, and return new ones of the same ranks.

    Each takes the best U for the V that it finds, then the best V for that U; so the error never grows. It stops
    early where the relative error falls by less than 0.0001 (tensorly's partial_tucker; De Lathauwer 2000b).

    >>> from labkit.weights import Tucker2
    >>> kernel = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    >>> first = hosvd(kernel).at((3, 2))
    >>> better = hooi(kernel, first, 10)
    >>> bool((Tucker2(*better)() - kernel).norm() < (Tucker2(*first)() - kernel).norm())
    True
    """
    u, core, v = start
    with torch_backend():
        from tensorly.decomposition import partial_tucker

        (core, (u, v)), _ = partial_tucker(
            kernel, core.shape[:2], modes=[0, 1], n_iter_max=iterations, init=(core, [u, v.mT])
        )
    return u, core, v.mT


def count(shape: tuple[int, ...], ranks: Ranks) -> int:
    """Count the numbers that a kernel (out, in, height, width) takes at two ranks.

    >>> count((50, 20, 5, 5), (16, 16))
    7520
    """
    (out, inside, height, width), (r_out, r_in) = shape, ranks
    return out * r_out + r_out * r_in * height * width + r_in * inside
