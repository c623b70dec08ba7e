"""A network as a structure of plain lists and names, beside one stream for each tensor.

The structure is a tree. A layer or Weight is {kind: arguments}, a tensor is a list (see `tensors`),
a shape a list of numbers. {"": {…}} keeps the module that is there already and says what is inside
it. What occurs a second time is {"=": k} or ["=", k], the k-th of its sort: shared Weights are
stored once.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache

import torch
from torch import Tensor, nn

from labkit import zoo
from labkit.layers import adopt
from labkit.storage import kinds, tensors
from labkit.storage.integers import Plan
from labkit.weights import Weight

ROWS = (nn.Sequential, zoo.Network)  # layers in a row: a file may rebuild these with other layers in them
WHOLE = "model"  # the name of the part that holds what lies in no layer


class Writer:
    """Walks over a network once, and plans a stream for each tensor that it meets first."""

    def __init__(self):
        self.plans: list[Plan] = []
        self.parts: Counter[str] = Counter()  # bytes of each layer
        self._streams: dict[int, int] = {}
        self._nodes: dict[int, int] = {}
        self._alive: list[object] = []  # an id is only good while its object lives
        self._path = WHOLE

    def network(self, model: nn.Module) -> list:
        """Return the structure of a whole network: where it comes from, its tree, its streams' lengths."""
        origin = model.origin if isinstance(model, zoo.Network) else None
        like = None if origin is None else skeleton(origin)
        tree = self.module(model, like, "")
        return [origin and [origin[0], list(origin[1]), origin[2]], tree, [plan.size for plan in self.plans]]

    def module(self, module: nn.Module, like: nn.Module | None, path: str) -> dict:
        """Describe a module; `like` is what a loader finds in its place."""
        if id(module) in self._nodes:
            return {"=": self._nodes[id(module)]}
        self._path = path or WHOLE
        node = kinds.describe(module, self.numbers)
        if node is None:
            same = like is not None and type(like) is type(module) and _names(like) == _names(module)
            if type(module) in ROWS and not same:
                node = {type(module).__name__: self._inside(module, like, path, leave_out=False)}
            else:
                node = {"": self._held(module) | self._inside(module, like if same else None, path, leave_out=True)}
        return self._done(module, node)

    def _inside(self, module: nn.Module, like: nn.Module | None, path: str, leave_out: bool) -> dict:
        """Describe the layers inside; those that a loader has anyway may be left out."""
        inside = {}
        for name, child in module.named_children():
            other = None if like is None else like._modules.get(name)
            if leave_out and _is_known(child, other):
                continue
            inside[name] = self.module(child, other, f"{path}.{name}" if path else name)
        return inside

    def _held(self, module: nn.Module) -> dict:
        """Describe a module's own tensors: what its state_dict would hold."""
        return {name: self.tensor(tensor) for name, tensor in held(module).items()}

    def numbers(self, numbers: Weight | Tensor | None) -> dict | list | None:
        """Describe a Weight or a tensor."""
        if numbers is None:
            return None
        return self.weight(numbers) if isinstance(numbers, Weight) else self.tensor(numbers)

    def weight(self, weight: Weight) -> dict:
        """Describe a Weight by its class and its constructor's arguments."""
        if id(weight) in self._nodes:
            return {"=": self._nodes[id(weight)]}
        name, given = type(weight).__name__, weight.arguments()
        if Weight.enrolled.get(name) is not type(weight):
            raise ValueError(f"two Weights are called {name}: give each its own name, since a file knows them by it")
        grid = (weight.shape[0], math.prod(weight.shape[1:])) if len(weight.shape) > 1 else None
        arguments = [self._argument(name, *argument, grid) for argument in given.items()]
        return self._done(weight, {name: arguments})

    def _argument(self, weight: str, name: str, value: object, grid: tuple[int, int] | None) -> object:
        if isinstance(value, Weight):
            return self.weight(value)
        if isinstance(value, Tensor):
            return self.tensor(value, grid)
        if isinstance(value, (tuple, list)) and all(type(side) is int for side in value):
            return list(value)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        raise ValueError(f"{name} of {weight} is {value!r}, but only tensors, Weights, numbers and shapes can be saved")

    def tensor(self, tensor: Tensor, grid: tuple[int, int] | None = None) -> list:
        """Describe a tensor, and plan its stream unless it has one already."""
        if id(tensor) in self._streams:
            return ["=", self._streams[id(tensor)]]
        words = tensors.describe(tensor)
        self._streams[id(tensor)] = len(self.plans)
        self._alive.append(tensor)
        plan = tensors.plan(tensor, grid)
        self.plans.append(plan)
        self.parts[self._path] += plan.size
        return words

    def _done(self, module: nn.Module, node: dict) -> dict:
        self._nodes[id(module)] = len(self._nodes)
        self._alive.append(module)
        return node


def held(module: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a module itself that belong to its state, by name."""
    passing = module._non_persistent_buffers_set
    buffers = {name: buffer for name, buffer in module._buffers.items() if name not in passing}
    return {name: tensor for name, tensor in (module._parameters | buffers).items() if tensor is not None}


@lru_cache(maxsize=8)
def skeleton(origin: tuple[str, tuple[int, int, int], int]) -> nn.Module:
    """Return a network of the zoo without numbers: all shapes, no memory."""
    with torch.device("meta"):
        return adopt(zoo.build(*origin))


def _names(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_children()]


def _is_known(module: nn.Module, like: nn.Module | None) -> bool:
    """Say whether a loader has this module already: unlisted and without numbers, or just as listed."""
    if any(True for _ in module.parameters()) or any(True for _ in module.buffers()):
        return False
    node = kinds.describe(module, lambda numbers: None)
    if node is None:
        return type(module) not in ROWS and not _names(module)
    return like is not None and type(like) is type(module) and kinds.describe(like, lambda numbers: None) == node
