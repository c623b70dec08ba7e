"""The exercise of notebook 03 on a budget: a structure for the first layer of LeNet-300-100, chosen by hand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from labkit import data, zoo
from labkit.course.checks import NotYet, exercise
from labkit.course.exercises.network import chosen, saved
from labkit.measure import accuracy
from labkit.methods import Knob, Method
from labkit.storage import size
from labkit.structured import METHODS, RIVALS, Narrower

LAYER, BYTES, SHARE = "fc1", 16_000, 0.84
EPOCHS = 2


@exercise(
    "first layer within a budget",
    "A float takes four bytes, and the 300 biases of fc1 count too: which structures store at most 3,700 numbers?",
    "How many numbers does each structure take for 300 x 784? Then which of those that fit is trained well?",
    "BlockCirculant() with blocks of 128 stores 3 x 7 x 128 = 2,688 numbers: return BlockCirculant(), 128",
)
def first_layer(choose: Callable[[], tuple[Method, float]]) -> str:
    """The layer's bytes in the file keep to the budget, and two epochs make the network accurate enough."""
    method, value = chosen(choose(), (*METHODS, *RIVALS), _knob, "first_layer()")
    original = size(zoo.load("LeNet-300-100")).parts[LAYER]
    small = _trained(type(method), value)
    _, loaded = saved(small, "first_layer()")
    takes = size(loaded).parts[LAYER]
    if takes > BYTES:
        raise NotYet(f"{method.title} at {value:g} takes {takes:,} bytes in {LAYER}, but should at most {BYTES:,}.")
    share = accuracy(loaded, data.load()).value
    if share < SHARE:
        raise NotYet(
            f"{method.title} at {value:g} takes {takes:,} bytes, which is fine, but after {EPOCHS} epochs the network "
            f"has {100 * share:.1f} % right, not {100 * SHARE:g} %. Try another structure."
        )
    return (
        f"{method.title} at {value:g}: {LAYER} in {takes:,} bytes, {original / takes:.0f} times fewer, and "
        f"{100 * share:.1f} % right after {EPOCHS} epochs. Try LowRank(), 2 as well: it fits too."
    )


def _knob(method: Method) -> Knob:
    """Return the knob for the layer, whose values depend on its shape."""
    return type(method)().prepare(zoo.load("LeNet-300-100"), where=_where(type(method))).knob


def _where(kind: type[Method]) -> str | None:
    """Return the layer to replace; a network of fewer neurons is narrower everywhere."""
    return None if kind is Narrower else LAYER


@functools.lru_cache(maxsize=8)
def _trained(kind: type[Method], value: float) -> nn.Module:
    """Train a structure for two epochs from the nearest one, with its own recipe; the same answer every time."""
    torch.manual_seed(0)
    pictures, method = data.load(), kind()
    curve = method.prepare(zoo.load("LeNet-300-100"), pictures, _where(kind))
    *_, (_, trained) = curve.train(value, pictures, replace(method.recipe, epochs=EPOCHS))
    return trained


EXERCISES = (first_layer,)
