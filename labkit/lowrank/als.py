"""Alternating least squares: a tensor as a sum of R rank-one ones, and why the best such sum may not exist.

A tensor X of N modes is written with one matrix for each mode, A_n (side, R), whose columns r multiply to component r:

    X ~ sum over r of  a_1r o a_2r o ... o a_Nr      (o: the outer product).

With all matrices but one fixed, that one is a least-squares problem. So each is solved for in turn, again and again.
Unlike a matrix, a tensor may have no best approximation of rank R (Silva 2008): two components grow without bound,
point in opposite directions, and what is left of them comes ever nearer. ALS then never ends, and numbers that cancel
so exactly do not survive rounding. A ridge keeps them small,

    minimise  |X - sum|^2 + ridge (|A_1|^2 + ... + |A_N|^2)      for |X| = 1,

and of this a minimum always exists. `degeneracy` says how far the components cancel. See also Phan 2020.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.lowrank.backend import torch_backend
from labkit.lowrank.hosvd import unfold
from labkit.lowrank.svd import svd

RIDGE = 1e-4  # on kernels of the zoo the error is the same within a few percent, the degeneracy up to 40 % lower
SETTLED = 1e-8  # stops where the relative error changes by less
LEAST = 1e-12  # of any ridge, so that a system is solved even where components are the same
STIR = 0.1  # the share of random numbers in a start
SMALLEST = 1e-30


def alternate(
    tensor: Tensor, rank: int, ridge: float = RIDGE, rounds: int = 100, start: Sequence[Tensor] | None = None
) -> list[Tensor]:
    """Return one matrix (side, R), float64, for each mode of a tensor, after at most so many rounds over the modes.

    It starts from other such matrices, or from `main_directions`. The norm of a component is shared out
    evenly over the modes. Rounds end early where the error no longer changes, and before a number that is not
    finite. Raises ValueError for a rank below 1, a negative ridge, and a tensor that holds NaN or infinite numbers.

    >>> x, y = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0, 3.0])
    >>> tensor = torch.einsum("i,j,k->ijk", x, y, y)
    >>> factors = alternate(tensor, 1, ridge=0)
    >>> torch.allclose(combine(factors), tensor.double())
    True
    """
    if rank < 1 or ridge < 0:
        raise ValueError(f"rank is {rank} and ridge {ridge}, but rank must be at least 1, and ridge at least 0")
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError("the tensor holds NaN or infinite numbers: train or load the network again")
    whole = tensor.double()
    size = whole.norm().clamp_min(SMALLEST)  # a tensor of zeros has factors of zeros
    sound: list[Tensor] = [whole.new_zeros(side, rank) for side in whole.shape]

    def watch(found, error) -> bool:
        """Keep what has been found; stop where it is not finite."""
        finite = math.isfinite(float(error))
        if finite:
            sound[:] = found.factors
        return not finite

    first = main_directions(whole, rank) if start is None else [f.double() / size ** (1 / whole.ndim) for f in start]
    with torch_backend(), contextlib.suppress(torch.linalg.LinAlgError):  # a system beyond all solving
        from tensorly.decomposition import parafac

        options = {"n_iter_max": rounds, "tol": SETTLED, "init": (whole.new_ones(rank), first)}
        parafac(whole / size, rank, l2_reg=max(ridge, LEAST), callback=watch, **options)
    return balanced(sound, float(size))


def main_directions(tensor: Tensor, rank: int) -> list[Tensor]:
    """Return a start (side, R) for each mode: the main directions of its unfolding, and a little of any direction.

    Without the latter, ALS would stay where a tensor's symmetry puts it, and had none to go on with beyond `side`.

    >>> [tuple(factor.shape) for factor in main_directions(torch.ones(4, 3, 2), 3)]
    [(4, 3), (3, 3), (2, 3)]
    """
    generator = torch.Generator().manual_seed(0)
    found = []
    for mode, side in enumerate(tensor.shape):
        noise = torch.randn(side, rank, generator=generator).to(tensor)
        u = svd(unfold(tensor, mode))[0][:, :rank]
        found.append(F.pad(u, (0, rank - u.shape[1])) + STIR * noise / side**0.5)
    return found


def balanced(factors: Sequence[Tensor], scale: float = 1.0) -> list[Tensor]:
    """Multiply all components by a scale, and share the norm of each out evenly over its factors (side, R).

    >>> [factor.tolist() for factor in balanced([torch.tensor([[8.0]]), torch.tensor([[2.0]])])]
    [[[4.0]], [[4.0]]]
    """
    each = scale ** (1 / len(factors)) * norms(factors) ** (1 / len(factors))
    return [factor / factor.norm(dim=0).clamp_min(SMALLEST) * each for factor in factors]


def norms(factors: Sequence[Tensor]) -> Tensor:
    """Return the norm of each component, (R,): the product of those of its factors (side, R)."""
    return torch.stack([factor.norm(dim=0) for factor in factors]).prod(0)


def combine(factors: Sequence[Tensor]) -> Tensor:
    """Add the components up to a tensor.

    >>> combine([torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [4.0]])]).tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """
    product, *others = factors
    for factor in others:
        product = product.unsqueeze(-2) * factor
    return product.sum(-1)


def degeneracy(factors: Sequence[Tensor], tensor: Tensor) -> float:
    """Return the sum of the norms of all components over the norm of the tensor: sum of |component_r| / |X|.

    Above sqrt(R), components must cancel each other; at 1000, float32 keeps four digits of what is left. It is
    0 for a tensor of zeros (Phan 2020).

    >>> factors = approach(100)
    >>> round(degeneracy(factors, no_best()), 1), float((combine(factors) - no_best()).norm()) < 1e-3
    (57.7, True)
    """
    return float(norms(factors).sum() / tensor.double().norm().clamp_min(SMALLEST)) if bool(tensor.any()) else 0.0


def no_best() -> Tensor:
    """Return the smallest tensor that has no best approximation of rank 2: a o a o b + a o b o a + b o a o a.

    Its rank is 3, and yet tensors of rank 2 come as near as one likes, as `approach` shows (Silva 2008).

    >>> no_best().tolist()
    [[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]]
    """
    a, b = torch.eye(2, dtype=torch.float64)
    return sum(torch.einsum("i,j,k->ijk", *modes) for modes in ((a, a, b), (a, b, a), (b, a, a)))


def approach(n: float) -> list[Tensor]:
    """Return the factors of n/2 (a + b/n)^o3 - n/2 (a - b/n)^o3, whose distance from `no_best` is 1 / n^2.

    The error falls as 1 / n^2 while the components grow as n. Raises ValueError unless n is above 0 (Silva 2008).

    >>> float((combine(approach(10)) - no_best()).norm())
    0.01...
    """
    if n <= 0:
        raise ValueError(f"n is {n}, but must be above 0")
    both = torch.tensor([[1.0, 1.0], [1 / n, -1 / n]], dtype=torch.float64)
    return [both * torch.tensor([n / 2, -n / 2]), both, both]
