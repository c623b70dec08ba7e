"""The exercise of notebook 02 on filters: fewer multiplications, and hardly less accurate."""

from __future__ import annotations

import functools
from collections.abc import Callable

from torch import nn

from labkit import data, layers, zoo
from labkit.course.checks import NotYet, exercise
from labkit.course.exercises.network import saved
from labkit.macs import macs
from labkit.measure import accuracy
from labkit.weights import Dense

BUDGET = 1_750_000  # multiplications of dense kernels, for one picture
LOSS = 1.0  # points of accuracy on the validation split


@exercise(
    "fewer multiplications",
    "The same share of every layer loses too much. Which layer multiplies most, and which tolerates least?",
    "The convolutions make nearly all multiplications: leave fc1 alone. prune_filters(model, {layer: how many stay}, "
    "pictures.image_shape) removes the weakest filters.",
    'return prune_filters(model, {"conv1": 16, "conv2": 44}, pictures.image_shape)',
)
def fewer_multiplications(thinner: Callable[[nn.Module], nn.Module]) -> str:
    """The network that was saved and loaded again has fewer filters, and is nearly as accurate."""
    original = zoo.load("LeNet-5")
    _, loaded = saved(thinner(original), "thinner(model)")
    needs, of = _multiplications(loaded), _multiplications(original)
    if needs > BUDGET:
        raise NotYet(
            f"It still multiplies {needs:,} times for a picture, but should at most {BUDGET:,} times. Zeros do not "
            "count: a dense kernel multiplies by them too."
        )
    lost = 100 * (_accuracy_of_the_original() - accuracy(loaded, data.load()).value)
    if not lost <= LOSS:
        raise NotYet(
            f"It multiplies {needs:,} times, which is fine, but it loses {lost:.2f} points. Choose other layers."
        )
    return (
        f"{100 * (1 - needs / of):.0f} % fewer multiplications, and {max(lost, 0):.2f} points lost without training. "
        "A little training would allow many more."
    )


def _multiplications(model: nn.Module) -> int:
    """Count the multiplications of the dense kernels for one picture."""
    kernels = {f"{path}.weight": Dense(layer.weight().detach()) for path, layer in layers.layers(model).items()}
    return macs(layers.replace(model, kernels), data.load().image_shape)


@functools.cache
def _accuracy_of_the_original() -> float:
    return accuracy(zoo.load("LeNet-5"), data.load()).value


EXERCISES = (fewer_multiplications,)
