"""Which structure? Nothing says so beforehand, so try: a small ranked search under a budget (successive halving).

    every method at the largest size that fits the budget -> train a little -> keep the better half -> train on

The ranking is by accuracy on the validation split. Half of the candidates go in each round, so that most of the time
goes into the best (Jamieson 2016).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from labkit import layers
from labkit.data import Data
from labkit.measure import accuracy
from labkit.methods import Method
from labkit.replacing import stored
from labkit.structured.base import Structured
from labkit.train import Trainer

ROUNDS = 3


@dataclass
class Candidate:
    """One structure: its method, its knob's value, the numbers it stores in the layer, and how well it has done."""

    method: Structured
    value: float
    numbers: int
    model: nn.Module
    accuracy: float = math.nan
    rounds: int = 0

    @property
    def name(self) -> str:
        """The method and its value, as people read them."""
        return f"{self.method.title}, {self.method.knob.name} {self.method.knob.show(self.value)}"


def candidates(model: nn.Module, layer: str, budget: int, methods: Sequence[Method]) -> list[Candidate]:
    """Return each method with the value of its knob that stores most, but at most `budget` numbers in a layer.

    A method that has no such value is left out; raises ValueError where none has.

    >>> from labkit import zoo
    >>> from labkit.structured import METHODS
    >>> found = candidates(zoo.load("LeNet-300-100"), "fc1", 8_000, [method() for method in METHODS])
    >>> [(one.name, one.numbers) for one in found][:2]
    [('Circulant, layers 1', 784), ('Block-circulant, block 32', 8000)]
    """
    found = []
    for method in methods:
        drawn = type(method)("random").prepare(model, where=layer)  # as large as the nearest, and there at once
        sizes = {value: stored(layers.layers(drawn.at(value))[layer].weight) for value in drawn.knob.values}
        fitting = [value for value, numbers in sizes.items() if numbers <= budget]
        if fitting:
            value = max(fitting, key=lambda value: sizes[value])
            found.append(Candidate(method, value, sizes[value], method.prepare(model, where=layer).at(value)))
    if not found:
        raise ValueError(f"no structure stores at most {budget:,} numbers in {layer}: give a larger budget")
    return found


def search(
    model: nn.Module,
    data: Data,
    layer: str,
    budget: int,
    methods: Sequence[Method],
    pictures: int = 10_000,
    seed: int = 0,
) -> Iterator[list[Candidate]]:
    """Rank structures for one layer under a budget, yielding the ranking after each candidate that was trained.

    Each round is one epoch of `pictures` training pictures (three rounds, and twice as many epochs in each), with the
    method's own recipe; the whole network is trained. Then the worse half goes. The best stand first; those that went
    stay where they were, behind those that are still in. Raises ValueError where no structure fits the budget.
    """
    torch.manual_seed(seed)
    running, out = candidates(model, layer, budget, methods), []
    few = replace(data, train=data.train.take(slice(0, pictures)))
    for turn in range(ROUNDS):
        for one in running:
            _train(one, few, epochs=2**turn, seed=seed + turn)
            one.accuracy, one.rounds = accuracy(one.model, data).value, turn + 1
            yield _ranked(running) + out
        running = _ranked(running)
        keep = max(1, math.ceil(len(running) / 2)) if turn < ROUNDS - 1 else len(running)
        running, out = running[:keep], running[keep:] + out
        if len(running) == 1:
            return


def _train(one: Candidate, data: Data, epochs: int, seed: int) -> None:
    recipe = replace(one.method.recipe, epochs=epochs, seed=seed)
    for _ in Trainer(one.model, data, recipe).run(every=1000):
        pass
    one.model.eval()


def _ranked(some: list[Candidate]) -> list[Candidate]:
    """The most rounds first, and among them the most accurate; who was not trained yet comes last."""
    return sorted(some, key=lambda one: (-one.rounds, -one.accuracy if one.rounds else 0))
