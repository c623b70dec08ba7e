"""The exercises of notebook 00: a mask by magnitude, and a file within a budget."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from labkit import data, zoo
from labkit.course.checks import NotYet, exercise
from labkit.course.exercises.network import saved
from labkit.measure import accuracy

BUDGET = 64_000  # bytes
LOSS = 1.5  # points of accuracy on the validation split


@exercise(
    "magnitude mask",
    "Which weights matter least: the most negative ones, or those nearest to zero? Sort by that.",
    "weight.abs().flatten() is what to sort. round(sparsity * weight.numel()) of its numbers have to go.",
    "Start with keep = torch.ones(weight.numel(), dtype=torch.bool). "
    "weight.abs().flatten().argsort() gives positions, the smallest first: set keep to False at the first "
    "round(sparsity * weight.numel()) of them, and return keep.view(weight.shape).",
)
def magnitude_mask(mask: Callable[[Tensor, float], Tensor]) -> str:
    """The mask is true exactly for the weights that stay."""
    small = torch.tensor([[0.5, -0.1, 0.2], [-0.9, 0.05, -0.3]])
    random = torch.randn(40, 25, generator=torch.Generator().manual_seed(0))
    for weight, sparsity in ((small, 0.5), (random, 0.9), (random.view(10, 4, 5, 5), 0.25), (small, 0.0), (small, 1.0)):
        _compare(mask(weight.clone(), sparsity), weight, sparsity)
    return "Your mask keeps the largest magnitudes, as many as it should. This mask is what the sparsity slider moves."


def _compare(answer: object, weight: Tensor, sparsity: float) -> None:
    """Raise NotYet with the first thing that is wrong with one mask."""
    asked = f"mask(weight, {sparsity:g}) for a weight of shape {tuple(weight.shape)}"
    if not isinstance(answer, Tensor):
        raise NotYet(f"{asked} gave {type(answer).__name__}, but should give a tensor: is a `return` missing?")
    if answer.shape != weight.shape:
        raise NotYet(f"{asked} gave a tensor of shape {tuple(answer.shape)}: a mask has the shape of its weight.")
    if not bool(((answer == 0) | (answer == 1)).all()):
        raise NotYet(f"{asked} gave numbers other than 0 and 1: a mask says True (stays) or False (goes).")
    keep = answer.bool()
    stay, should = int(keep.sum()), weight.numel() - round(sparsity * weight.numel())
    if stay != should:
        raise NotYet(f"{asked} keeps {stay} of {weight.numel()} weights, but should keep {should}.")
    if 0 < should < weight.numel() and weight.abs()[keep].min() < weight.abs()[~keep].max():
        kept, cut = weight[keep], weight[~keep]
        weakest, strongest = kept[kept.abs().argmin()], cut[cut.abs().argmax()]
        raise NotYet(f"{asked} keeps {weakest:.2f}, but cuts {strongest:.2f}, which is farther from zero.")


@exercise(
    "file within a budget",
    "Prune first, then cluster what is left. Try pairs on the panel or in a loop: each knob alone is not enough.",
    "The accuracy falls fast above a sparsity of 0.9, and below 4 bits. Stay on the mild side of both.",
    "Try a sparsity of 0.85 and 4 bits: pruned = Magnitude().prepare(model).at(0.85), "
    "then return KMeans().prepare(pruned).at(4).",
)
def file_within_a_budget(compress: Callable[[nn.Module], nn.Module]) -> str:
    """The network that was saved and loaded again fits into the budget and is nearly as accurate."""
    pictures, original = data.load("FashionMNIST"), zoo.load("LeNet-5")
    size, loaded = saved(compress(original))
    if size > BUDGET:
        raise NotYet(f"Your file takes {size:,} bytes, which is {size - BUDGET:,} too many. Compress more.")
    lost = 100 * (_accuracy_of_the_original() - accuracy(loaded, pictures, "validation").value)
    if not lost <= LOSS:
        raise NotYet(f"Your file takes {size:,} bytes, which is fine, but it loses {lost:.1f} points. Compress less.")
    return f"Your file takes {size:,} bytes and loses {lost:.1f} points. It was loaded again before it was measured."


@functools.cache
def _accuracy_of_the_original() -> float:
    return accuracy(zoo.load("LeNet-5"), data.load("FashionMNIST"), "validation").value


EXERCISES = (magnitude_mask, file_within_a_budget)
