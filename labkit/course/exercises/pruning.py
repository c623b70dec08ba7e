"""The first exercises of notebook 02: one threshold for all layers, and a saliency that asks the loss."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from labkit import data, layers, zoo
from labkit.course.checks import NotYet, exercise
from labkit.curvature import diagonal
from labkit.data import Data
from labkit.measure import accuracy
from labkit.weights import Sparse

SPARSITY = 0.9  # at which the saliency is tried


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@exercise(
    "one threshold",
    "Put the magnitudes of all layers into one list. Which of them is the last that has to go?",
    "together = torch.cat([weight.abs().flatten() for weight in weights]) is that list; "
    "round(sparsity * len(together)) of its numbers have to go.",
    "cut = together.sort().values[round(sparsity * len(together)) - 1], or -1 where nothing has to go; "
    "return [weight.abs() > cut for weight in weights].",
)
def one_threshold(masks: Callable[[Sequence[Tensor], float], Sequence[Tensor]]) -> str:
    """Masks of several layers by one threshold: right in number, and the smallest of all layers go."""
    wide, narrow = _random(20, 30), 0.1 * _random(10, 20, seed=1)
    small = [torch.tensor([[0.5, -0.1], [0.2, -0.9]]), torch.tensor([[0.3, 0.05]])]
    for weights, sparsity in (
        (small, 0.5),
        ([wide, narrow], 0.6),
        ([narrow, wide.view(4, 5, 5, 6)], 0.9),
        (small, 0.0),
        (small, 1.0),
    ):
        answer = masks([weight.clone() for weight in weights], sparsity)
        _compare(answer, weights, sparsity)
    kept = [float(mask.float().mean()) for mask in masks([wide.clone(), narrow.clone()], 0.6)]
    return (
        "One threshold cuts the smallest weights of the whole network. Of two layers, the second with weights ten "
        f"times smaller, it keeps {100 * kept[0]:.0f} % and {100 * kept[1]:.0f} % at a sparsity of 60 %."
    )


def _compare(answer: object, weights: Sequence[Tensor], sparsity: float) -> None:
    """Raise NotYet with the first thing that is wrong with the masks."""
    shapes = " and ".join(str(tuple(weight.shape)) for weight in weights)
    asked = f"masks(weights, {sparsity:g}) for weights of shape {shapes}"
    if not isinstance(answer, (list, tuple)) or len(answer) != len(weights):
        raise NotYet(f"{asked} gave {type(answer).__name__}, but should give a list of {len(weights)} masks.")
    for mask, weight in zip(answer, weights, strict=True):
        if not isinstance(mask, Tensor) or mask.shape != weight.shape:
            raise NotYet(f"{asked}: each mask should be a tensor in the shape of its weight.")
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise NotYet(f"{asked} gave numbers other than 0 and 1: a mask says True (stays) or False (goes).")
    keep = torch.cat([mask.bool().flatten() for mask in answer])
    together = torch.cat([weight.abs().flatten() for weight in weights])
    should = len(together) - round(sparsity * len(together))
    if int(keep.sum()) != should:
        raise NotYet(f"{asked} keeps {int(keep.sum())} of {len(together)} weights in all, but should keep {should}.")
    if 0 < should < len(together) and together[keep].min() < together[~keep].max():
        raise NotYet(
            f"{asked} keeps a weight of magnitude {together[keep].min():.3f}, but cuts one of "
            f"{together[~keep].max():.3f} in another place: one threshold serves all layers."
        )


@exercise(
    "OBD saliency",
    "Setting a weight to zero changes it by d = -w. What does a change d cost, if the loss bends with curvature h?",
    "A change d of one weight raises the loss by h d^2 / 2.",
    "return 0.5 * curvature * weight ** 2",
)
def obd_saliency(saliency: Callable[[Tensor, Tensor], Tensor]) -> str:
    """The saliency of each weight, then a network that is pruned by it."""
    weight, curvature = _random(20, 30), _random(20, 30, seed=1).square()
    cases = [
        (weight, curvature),
        (weight, torch.ones_like(weight)),
        (torch.tensor([3.0, -2.0]), torch.tensor([1.0, 9.0])),
    ]
    for w, h in cases:
        answer = saliency(w.clone(), h.clone())
        if not isinstance(answer, Tensor) or answer.shape != w.shape:
            raise NotYet("saliency(weight, curvature) should give a tensor in the shape of weight: a number for each.")
        expected = 0.5 * h * w.square()
        if not torch.allclose(answer, expected, rtol=1e-4, atol=1e-7):
            worst = int((answer - expected).abs().nan_to_num(torch.inf).argmax())
            w, h, got, right = (float(part.flatten()[worst]) for part in (w, h, answer, expected))
            raise NotYet(f"A weight of {w:.3g} with curvature {h:.3g} got {got:.3g}, but cutting it costs {right:.3g}.")
    found = {"your saliency": _pruned(saliency), "magnitude": _pruned(lambda w, h: w.abs())}
    said = ", ".join(f"{name} {100 * share:.1f} %" for name, share in found.items())
    return (
        f"LeNet-300-100 with {100 * SPARSITY:g} % of its weights cut, not trained, on the validation pictures: {said}. "
        "A large weight behind a pixel that is nearly always black has little curvature, and it may go."
    )


def _pruned(score: Callable[[Tensor, Tensor], Tensor]) -> float:
    """Prune LeNet-300-100 by one threshold on a score, and return its accuracy on the validation split."""
    model, pictures, curvature = _subject()
    scores = {path: score(leaf().detach().clone(), curvature[path].clone()) for path, leaf in layers.leaves(model)}
    together = torch.cat([part.flatten() for part in scores.values()])
    cut = together.sort().values[round(SPARSITY * len(together))]
    new = {path: _sparse(leaf().detach(), scores[path] >= cut) for path, leaf in layers.leaves(model)}
    return accuracy(layers.replace(model, new), pictures).value


def _sparse(weight: Tensor, keep: Tensor) -> Sparse:
    positions = keep.flatten().nonzero().flatten()
    return Sparse(positions, weight.flatten()[positions], tuple(weight.shape))


@functools.cache
def _subject() -> tuple[nn.Module, Data, dict[str, Tensor]]:
    model, pictures = zoo.load("LeNet-300-100"), data.load()
    return model, pictures, diagonal(model, pictures)


EXERCISES = (one_threshold, obd_saliency)
