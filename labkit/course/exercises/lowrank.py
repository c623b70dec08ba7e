"""The first exercises of notebook 04: when a rank pays, and the best vertical and horizontal convolution."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from labkit.course.checks import NotYet, exercise

SHAPES = ((300, 784, 1), (100, 300, 1), (10, 500, 1), (1, 5, 1), (50, 20, 5), (128, 128, 3), (20, 1, 5), (2, 2, 1))


@exercise(
    "break-even rank",
    "How many numbers do the two factors hold at rank r, and how many does the layer hold? The first must be smaller.",
    "At rank r the vertical filters hold r * inside * d numbers and the horizontal ones out * r * d; the layer holds "
    "out * inside * d * d. For a matrix d is 1.",
    "return (out * inside * d - 1) // (out + inside): at a rank that is just as large nothing is saved.",
)
def break_even_rank(largest_rank: Callable[[int, int, int], int]) -> str:
    """The largest rank at which two factors hold fewer numbers than the layer, counted one by one here."""
    for out, inside, d in SHAPES:
        answer = largest_rank(out, inside, d)
        if isinstance(answer, bool) or not isinstance(answer, int):
            raise NotYet(f"largest_rank({out}, {inside}, {d}) gave {answer!r}, but a rank is a whole number.")
        whole = out * inside * d * d
        expected = max((rank for rank in range(whole) if rank * d * (inside + out) < whole), default=0)
        if answer != expected:
            factors = answer * d * (inside + out)
            raise NotYet(
                f"largest_rank({out}, {inside}, {d}) gave {answer}: factors of {factors:,} numbers for a layer of "
                f"{whole:,}. The largest rank that saves at least one number is another one."
            )
    return (
        "LeNet-300-100: 216 of 300 ranks save something in fc1, 74 of 100 in fc2, 9 of 10 in fc3. To halve a "
        "layer, it takes half the break-even rank."
    )


@exercise(
    "spatial factors",
    "The best factors of rank r are a truncated SVD of one matrix. Which two of the four axes does vertical have?",
    "Move the axes to (inside, rows, out, columns) and make a matrix of (inside * rows, out * columns).",
    "u, s, v = torch.linalg.svd(matrix, full_matrices=False); vertical is u[:, :rank] * s[:rank].sqrt(), "
    "turned to (rank, inside, rows); horizontal is s[:rank].sqrt()[:, None] * v[:rank], turned to "
    "(out, rank, columns).",
)
def spatial_factors(spatial: Callable[[Tensor, int], tuple[Tensor, Tensor]]) -> str:
    """The factors have their shapes, and no pair of this rank is nearer to the kernel."""
    random = torch.Generator().manual_seed(0)
    for shape, rank in (((6, 4, 3, 3), 2), ((5, 3, 3, 5), 4), ((4, 1, 5, 5), 1)):
        kernel = torch.randn(shape, generator=random)
        vertical, horizontal = _factors(spatial(kernel.clone(), rank), shape, rank)
        rebuilt = torch.einsum("orx,riy->oiyx", horizontal.double(), vertical.double())
        error = float((rebuilt - kernel).square().sum())
        least = _least(kernel, rank)
        if not error <= least + 1e-4 * float(kernel.square().sum()):
            raise NotYet(
                f"For a kernel {shape} at rank {rank} the squared error is {error:.3f}, but {least:.3f} can be "
                "reached: the horizontal filters after the vertical ones give "
                'torch.einsum("orx,riy->oiyx", horizontal, vertical).'
            )
    return (
        "This is the best pair of its rank: the squared error is the sum of the squared singular values cut off. "
        "Jaderberg searched for it step by step, Tai found that one SVD gives it."
    )


def _factors(answer: object, shape: tuple[int, int, int, int], rank: int) -> tuple[Tensor, Tensor]:
    """Return the two factors; raise NotYet for anything else."""
    out, inside, rows, columns = shape
    wanted = (rank, inside, rows), (out, rank, columns)
    if not isinstance(answer, (tuple, list)) or len(answer) != 2 or not all(isinstance(one, Tensor) for one in answer):
        raise NotYet(f"spatial(kernel, {rank}) should return two tensors, vertical and horizontal.")
    given = tuple(tuple(one.shape) for one in answer)
    if given != wanted:
        raise NotYet(
            f"For a kernel {shape} at rank {rank} vertical should be {wanted[0]} and horizontal {wanted[1]}, "
            f"but they are {given[0]} and {given[1]}."
        )
    return answer[0], answer[1]


def _least(kernel: Tensor, rank: int) -> float:
    """Return the least squared error of a rank: what the eigenvalues of the small Gram matrix leave."""
    matrix = kernel.double().permute(1, 2, 0, 3).reshape(kernel.shape[1] * kernel.shape[2], -1)
    small = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    return float(torch.linalg.eigvalsh(small).clamp_min(0)[: max(0, len(small) - rank)].sum())


EXERCISES = (break_even_rank, spatial_factors)
