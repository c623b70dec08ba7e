"""The exercise of notebook 02 on why the same sparsity hurts one layer more than another."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from scipy.stats import spearmanr
from torch import Tensor

from labkit import data, layers, zoo
from labkit.activations import gram
from labkit.course.checks import NotYet, exercise
from labkit.measure import accuracy
from labkit.pruning import Magnitude

SPARSITY = 0.9


@exercise(
    "damage to a layer",
    "Pruning changes the weights by D = after - before. How large is the change of the output, beside the output?",
    "For a matrix M, (M * (M @ gram)).sum() is the mean squared output of a layer with the weights M.",
    "change = after - before; return (change * (change @ gram)).sum() / (before * (before @ gram)).sum()",
)
def damage_to_a_layer(damage: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """How large the change of a layer's output is beside the output, then beside the points that it costs."""
    random = torch.Generator().manual_seed(0)
    before, mask, x = (torch.randn(shape, generator=random) for shape in ((6, 20), (6, 20), (300, 20)))
    x[:, :5] *= 10
    for after in (before * (mask > 0), before, torch.zeros_like(before)):
        answer = damage(before.clone(), after.clone(), x.T @ x / len(x))
        if not isinstance(answer, (int, float)) and not (isinstance(answer, Tensor) and answer.numel() == 1):
            raise NotYet("damage(before, after, gram) should give one number for the whole layer: add it all up.")
        expected = float((x @ (after - before).T).square().sum() / (x @ before.T).square().sum())
        if not abs(float(answer) - expected) <= 1e-4 * max(1.0, expected):
            raise NotYet(
                f"damage gave {float(answer):.4g} where the output changes by {expected:.4g} of its mean square. "
                "With the weights M that mean square is (M * (M @ gram)).sum()."
            )
    return _beside(damage)


def _beside(damage: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Show the learner's damage for each layer of LeNet-5 beside the accuracy that it costs."""
    lines, shares, lost = [], [], []
    for layer, before, after, matrix, points in _each_layer_alone():
        shares.append(float(damage(before.clone(), after.clone(), matrix.clone())))
        lost.append(points)
        lines.append(
            f"{layer}: {before.numel():,} weights, {before.shape[1]} inputs each; "
            f"damage {shares[-1]:.2f}, {points:.1f} points lost"
        )
    order = float(spearmanr(shares, lost).statistic)
    return (
        f"LeNet-5, {100 * SPARSITY:g} % of the weights of one layer cut at a time, validation pictures:\n"
        + "\n".join(lines)
        + f"\nThe rank correlation is {order:.2f} (1: the same order). A filter with few inputs has nothing to spare; "
        "among hundreds of inputs many say nearly the same, and the small weights carry little of the sum."
    )


@functools.cache
def _each_layer_alone() -> list[tuple[str, Tensor, Tensor, Tensor, float]]:
    """For each layer of LeNet-5: its matrix before and after, the Gram matrix of its inputs, the points lost."""
    model, pictures = zoo.load("LeNet-5"), data.load()
    grams, whole, found = gram(model, pictures, images=500), accuracy(model, pictures).value, []
    for path in layers.layers(model):
        pruned = Magnitude().prepare(model, where=path).at(SPARSITY)
        before, after = (net.get_submodule(path).weight().detach().flatten(1) for net in (model, pruned))
        found.append((path, before, after, grams[path][0], 100 * (whole - accuracy(pruned, pictures).value)))
    return found


EXERCISES = (damage_to_a_layer,)
