"""A network out of a structure that may come from a stranger: nothing in it is believed before it is checked.

Names are looked up in fixed tables. Sizes are added up before memory is asked for: the numbers that
are stored against the length of the file, the numbers that Weights show against `limit`.
"""

from __future__ import annotations

import inspect
import math

from torch import Tensor, nn

from labkit.storage import kinds, tensors
from labkit.storage.errors import FileError
from labkit.storage.writer import ROWS, held
from labkit.weights import Weight

DEEPEST = 64  # levels of modules and Weights
FREE = 16  # this part of the limit may take no bits, since it is equal to its neighbours
ROW_NAMES = {kind.__name__: kind for kind in ROWS}


class Reader:
    """Builds modules from their description, taking streams in the order in which the writer left them."""

    def __init__(self, streams: list[bytes], limit: int):
        self.streams, self.limit = streams, limit
        self.stored = 0  # numbers declared so far
        self.may_store = min(limit, 8 * sum(map(len, streams)) + limit // FREE)
        self.tensors: list[Tensor] = []
        self.nodes: list[nn.Module] = []
        self.costs: list[int] = []  # numbers that a node computes, with all that it refers to
        self._cost = 0
        self._call = max(1, limit >> 14)  # using a node once counts like so many numbers

    def network(self, tree: object, like: nn.Module | None) -> nn.Module:
        """Build a whole network; raise FileError unless the file and the network are both used up."""
        before = state(like)
        network = self.module(tree, like)
        if isinstance(network, Weight) or len(self.tensors) != len(self.streams):
            raise FileError("it holds more tensors than its structure names")
        old = {id(tensor) for _, tensor in before}
        for path, tensor in state(network):
            if id(tensor) in old:
                raise FileError(f"it lacks {path} of the network: give the network it was saved from")
        return network

    def module(self, node: object, like: nn.Module | None, depth: int = 0) -> nn.Module:
        """Build a module; `like` is what stands in its place in the network brought along."""
        kind, inside = _single(node, depth)
        if kind == "=":
            return self._again(inside, weight=False)
        before, self._cost = self._cost, 0
        if kind == "":
            module = self._fill(like, _mapping(inside), depth)
        elif kind in ROW_NAMES:
            module = self._row(ROW_NAMES[kind], like, _mapping(inside), depth)
        else:
            module = kinds.build(kind, inside, lambda part: self.numbers(part, depth + 1))
        return self._done(module, before)

    def _fill(self, module: nn.Module | None, inside: dict, depth: int) -> nn.Module:
        """Put tensors and layers into a module that is there already."""
        if module is None:
            raise FileError("it holds a layer that is only in the network that was saved: give that network as `into`")
        own = held(module)
        for name, part in inside.items():
            if isinstance(part, list):
                self._hold(module, own, name, self.tensor(part))
            elif module._modules.get(name) is None:
                raise FileError(f"the network has no layer {name[:80]!r}: give the one it was saved from")
            else:
                setattr(module, name, self.module(part, module._modules[name], depth + 1))
        return module

    def _hold(self, module: nn.Module, own: dict[str, Tensor], name: str, tensor: Tensor) -> None:
        old = own.get(name)
        if old is None or old.shape != tensor.shape or old.dtype != tensor.dtype:
            raise FileError(f"{name[:80]!r} does not fit the network: give the one it was saved from")
        if name in module._buffers:
            module._buffers[name] = tensor
        else:
            parameter = tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor)
            module._parameters[name] = parameter.requires_grad_(old.requires_grad)

    def _row(self, kind: type[nn.Sequential], like: nn.Module | None, inside: dict, depth: int) -> nn.Module:
        row = kind()
        for name, part in inside.items():
            other = None if like is None else like._modules.get(name)
            row.add_module(name, self.module(part, other, depth + 1))
        return row

    def numbers(self, node: object, depth: int) -> Weight | Tensor | None:
        """Build a Weight, a tensor, or None."""
        if isinstance(node, dict):
            return self.weight(node, depth)
        return None if node is None else self.tensor(node)

    def weight(self, node: object, depth: int) -> Weight:
        """Build a Weight of an enrolled class from its constructor's arguments."""
        kind, arguments = _single(node, depth)
        if kind == "=":
            return self._again(arguments, weight=True)
        enrolled = Weight.enrolled.get(kind)
        if enrolled is None or not isinstance(arguments, list):
            raise FileError(f"a Weight of kind {kind[:80]!r} is unknown: import what defines it first")
        names = [name for name in inspect.signature(enrolled.__init__).parameters if name != "self"]
        if len(names) != len(arguments):
            raise FileError(f"a {kind} has {len(names)} arguments, not {len(arguments)}")
        before, self._cost = self._cost, 0
        weight = enrolled(**{name: self._argument(part, depth) for name, part in zip(names, arguments, strict=True)})
        self._spend(math.prod(weight.shape))
        return self._done(weight, before)

    def _argument(self, part: object, depth: int) -> object:
        if isinstance(part, dict):
            return self.weight(part, depth + 1)
        if isinstance(part, list) and part and isinstance(part[0], str):
            return self.tensor(part)
        if isinstance(part, list):
            if not all(map(tensors.is_side, part)) or math.prod(part) > self.limit:
                raise FileError(f"a shape is senseless, or shows more than {self.limit} numbers")
            return tuple(part)
        if isinstance(part, str) or (type(part) is int and abs(part) >= 2**63):
            raise FileError("an argument of a Weight is neither a number nor a shape")
        return part

    def tensor(self, words: object) -> Tensor:
        """Read the next stream, or return a tensor that was read before."""
        if not isinstance(words, list) or not words or not isinstance(words[0], str):
            raise FileError("its structure has something else where a tensor should be")
        if words[0] == "=":
            return self.tensors[_index(words[1:], self.tensors)]
        self.stored += math.prod(tensors.parse(words)[3])
        if self.stored > self.may_store:
            raise FileError(f"it declares {self.stored} numbers, too many for its length or the limit")
        if len(self.tensors) >= len(self.streams):
            raise FileError("its structure names more tensors than there are")
        self.tensors.append(tensors.decode(self.streams[len(self.tensors)], words))
        return self.tensors[-1]

    def _again(self, index: object, weight: bool) -> nn.Module:
        found = _index([index], self.nodes)
        self._spend(self.costs[found])
        if isinstance(self.nodes[found], Weight) != weight:
            raise FileError("its structure puts a Weight in the place of a layer")
        return self.nodes[found]

    def _spend(self, cost: int) -> None:
        # Counted each time it is used: a few nodes that each use the one before twice would compute for years.
        self._cost += cost
        if self._cost > self.limit:
            raise FileError(f"its weights show more than {self.limit} numbers: give load a higher limit")

    def _done(self, module: nn.Module, before: int) -> nn.Module:
        self._spend(self._call)
        self.nodes.append(module)
        self.costs.append(self._cost)
        cost, self._cost = self._cost, before
        self._spend(cost)
        return module


def state(module: nn.Module | None) -> list[tuple[str, Tensor]]:
    """List all tensors of a network that belong to its state, by path."""
    modules = [] if module is None else module.named_modules()
    return [(f"{path}.{name}".lstrip("."), tensor) for path, part in modules for name, tensor in held(part).items()]


def _single(node: object, depth: int) -> tuple[str, object]:
    if depth > DEEPEST:
        raise FileError(f"its structure is deeper than {DEEPEST} levels")
    if not isinstance(node, dict) or len(node) != 1:
        raise FileError("its structure has something else where a layer or Weight should be")
    return next(iter(node.items()))


def _mapping(inside: object) -> dict:
    if not isinstance(inside, dict):
        raise FileError("its structure has something else where a list of layers should be")
    return inside


def _index(given: list, known: list) -> int:
    if len(given) != 1 or type(given[0]) is not int or not 0 <= given[0] < len(known):
        raise FileError("its structure refers to something that is not there")
    return given[0]
