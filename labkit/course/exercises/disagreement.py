"""The exercise of notebook 04 on layers whose error and whose accuracy disagree."""

from __future__ import annotations

import functools
from collections.abc import Callable

from torch import nn

from labkit import data, layers, zoo
from labkit.course.checks import NotYet, exercise
from labkit.lowrank import SVD
from labkit.measure import accuracy
from labkit.methods import LeafCurve

LARGE, HARMLESS = 0.5, 0.5  # a relative error of at least so much, and at most so many points lost
SMALL, HARMFUL = 0.35, 10.0  # a relative error of at most so much, and at least so many points lost
Cut = tuple[str, int]


@exercise(
    "error and accuracy disagree",
    "Cut one layer of VGG after the other, and look at both numbers. Where do many weights say nearly the same? "
    "What is lost for good?",
    "A wide fully connected layer stands a large error. What the first layer loses, no other can bring back.",
    'return ("fc1", 16), ("conv1", 6)',
)
def error_and_accuracy_disagree(disagree: Callable[[], tuple[Cut, Cut]]) -> str:
    """A cut with a large error that harms nothing, and one with a small error that harms much."""
    answer = disagree()
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise NotYet(
            "disagree() should return two cuts, the harmless one first, each a layer and a rank: "
            '("conv2", 8), ("fc2", 4).'
        )
    (harmless, error, lost), (harmful, error2, lost2) = (_measured(*_cut(one)) for one in answer)
    if not (error >= LARGE and lost <= HARMLESS):
        raise NotYet(
            f"The first cut, {harmless}, has a relative error of {100 * error:.0f} % and loses {lost:.1f} points: "
            f"find one with at least {100 * LARGE:.0f} % that loses at most {HARMLESS:g}."
        )
    if not (error2 <= SMALL and lost2 >= HARMFUL):
        raise NotYet(
            f"The second cut, {harmful}, has a relative error of {100 * error2:.0f} % and loses {lost2:.1f} points: "
            f"find one with at most {100 * SMALL:.0f} % that loses at least {HARMFUL:g}."
        )
    return (
        f"{harmless}: {100 * error:.0f} % of the weights' norm gone, {max(lost, 0):.1f} points lost. {harmful}: "
        f"{100 * error2:.0f} % gone, {lost2:.1f} points lost. The error counts all weights alike; the network does "
        "not. So a rule that gives each layer the same error, or the same energy, spends its bytes in the wrong place."
    )


def _cut(one: object) -> Cut:
    """Return a layer and a rank that can be cut; raise NotYet for anything else."""
    curves = _setting()[1]
    if not isinstance(one, (tuple, list)) or len(one) != 2 or one[0] not in curves:
        raise NotYet(f"{one!r} is no cut of VGG: give a layer and a rank, the layer one of {', '.join(curves)}.")
    layer, rank = one
    top = curves[layer].fits[f"{layer}.weight"].top
    if isinstance(rank, bool) or not isinstance(rank, int) or not 1 <= rank <= top:
        raise NotYet(f"{layer} can be cut at the ranks 1 to {top}, not at {rank!r}: above, nothing is saved.")
    return layer, rank


@functools.cache
def _measured(layer: str, rank: int) -> tuple[str, float, float]:
    """Cut one layer of VGG: the cut in words, the relative error of its weights, the points it loses."""
    model, curves, whole = _setting()
    path = f"{layer}.weight"
    small = layers.replace(model, {path: curves[layer].fits[path].at(rank)})
    before, after = (net.get_submodule(layer).weight().detach() for net in (model, small))
    lost = 100 * (whole - accuracy(small, data.load()).value)
    return f"{layer} at rank {rank}", float((after - before).norm() / before.norm()), lost


@functools.cache
def _setting() -> tuple[nn.Module, dict[str, LeafCurve], float]:
    """VGG, the SVD of each of its layers, and its own accuracy on the validation split."""
    model = zoo.load("VGG")
    curves = {layer: SVD().prepare(model, where=layer) for layer in layers.layers(model)}
    return model, curves, accuracy(model, data.load()).value


EXERCISES = (error_and_accuracy_disagree,)
