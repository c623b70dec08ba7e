"""How much each layer tolerates alone, and what to compress each layer to.

    loss_l(v) = accuracy of the network - accuracy with layer l alone compressed at the value v.

Han 2015 chooses each layer's threshold from these curves. Choosing by one tolerated loss for all layers,

    v_l = the strongest v with loss_l(v) <= loss,

leaves one number to choose in the place of one for each layer.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from torch import nn

from labkit import layers
from labkit.data import Data
from labkit.evaluate import Evaluator
from labkit.methods import Knob, Method

Point = tuple[str, float, float]  # layer, value of the knob, accuracy
ROUNDING = 1e-9  # 0.9 - 0.89 is a little more than 0.01
Curves = Mapping[str, Mapping[float, float]]  # layer -> value of the knob -> accuracy, the mildest value first


def mild_to_strong(knob: Knob) -> tuple[float, ...]:
    """Return the knob's values with the mildest first: a knob starts at its mild end, or near it.

    >>> mild_to_strong(Knob("bits", "bits per weight", (2, 4, 8), 8))
    (8, 4, 2)
    """
    mild = knob.values.index(knob.start) <= (len(knob.values) - 1) / 2
    return knob.values if mild else knob.values[::-1]


def coarse_to_fine(count: int) -> list[list[int]]:
    """Order the positions 0 to count - 1 in levels: one end, the other, the middle, the quarters, and so on.

    >>> coarse_to_fine(9)
    [[0], [8], [4], [2, 6], [1, 3, 5, 7]]
    """
    levels, gaps = [[0], [count - 1]][:count], [(0, count - 1)]
    while gaps := [(low, high) for low, high in gaps if high - low > 1]:
        levels.append([(low + high) // 2 for low, high in gaps])
        gaps = [half for low, high in gaps for half in itertools.pairwise((low, (low + high) // 2, high))]
    return levels


def scan(
    model: nn.Module,
    method: Method,
    data: Data,
    values: Sequence[float] | None = None,
    images: int = 1000,
    split: str = "validation",
    measure: Callable[[nn.Module], float] | None = None,
) -> Iterator[Point]:
    """Compress one layer at a time, and yield layer, value and the accuracy of the network, a share from 0 to 1.

    The values are the knob's, or those of them that are given: first the mildest of each layer, then the
    strongest, then those between, coarse to fine. Each accuracy is estimated from so many `images` of the
    split (see `labkit.estimate`), unless `measure` finds it. A layer that the method refuses is left out.
    Raises ValueError where it refuses all, and for a value that is not on the knob (Han 2015).

    >>> from labkit import data, zoo
    >>> from labkit.pruning import Magnitude
    >>> points = scan(zoo.load("LeNet-300-100"), Magnitude(), data.load("FashionMNIST"), [0, 0.5, 0.99])
    >>> [(layer, value) for layer, value, accuracy in points][:4]
    [('fc1', 0), ('fc2', 0), ('fc3', 0), ('fc1', 0.99)]
    """
    next(layers.leaves(model))  # says so where there is none
    if images < 1:
        raise ValueError(f"images is {images}, but an accuracy needs at least 1")
    if values is not None and len(values) == 0:
        raise ValueError("values is empty: give some of the knob's values, or None for all")
    if measure is None:
        evaluator = Evaluator(model, data, split)

        def measure(compressed: nn.Module) -> float:
            return evaluator.estimate(compressed, budget_s=0, at_least=images).value

    return _scan(model, method, data, values, measure)


def _scan(model, method, data, values, measure) -> Iterator[Point]:
    curves, between = {}, []
    for path in layers.layers(model):
        try:
            curve = method.prepare(model, data, path)
        except ValueError as error:
            refused = error
            continue
        wanted = set(curve.knob.values if values is None else map(curve.knob.check, values))
        order = [value for value in mild_to_strong(curve.knob) if value in wanted]
        curves[path] = curve
        between.append([[order[index] for index in level] for level in coarse_to_fine(len(order))[1:]])
        yield path, order[0], measure(curve.at(order[0]).eval())
    if not curves:
        raise ValueError(f"{method.title} treats no layer of this network alone: {refused}")
    for level in itertools.zip_longest(*between, fillvalue=()):
        for path, here in zip(curves, level, strict=True):
            for value in here:
                yield path, value, measure(curves[path].at(value).eval())


def collect(points: Iterable[Point]) -> dict[str, dict[float, float]]:
    """Put the points of a scan in order: for each layer its accuracy by value, the mildest value first.

    >>> collect([("fc1", 8, 0.9), ("fc1", 2, 0.5), ("fc1", 4, 0.8)])
    {'fc1': {8: 0.9, 4: 0.8, 2: 0.5}}
    """
    found: dict[str, dict[float, float]] = {}
    for layer, value, accuracy in points:
        found.setdefault(layer, {})[value] = accuracy
    return {layer: dict(sorted(curve.items(), key=_from_mildest(curve))) for layer, curve in found.items()}


def _from_mildest(curve: Mapping[float, float]) -> Callable[[tuple[float, float]], float]:
    """Return what sorts value and accuracy by how far the value is from the first one."""
    mildest = next(iter(curve))
    return lambda item: abs(item[0] - mildest)


def _curves(scan: Iterable[Point] | Curves) -> Curves:
    return scan if isinstance(scan, Mapping) else collect(scan)


def strongest(scan: Iterable[Point] | Curves, loss: float, reference: float | None = None) -> dict[str, float]:
    """Return for each layer the strongest value at which it loses at most `loss`, a share: one point is 0.01.

    It loses against `reference`, by default its own accuracy at the mildest value of the scan. A layer
    that loses more everywhere gets its mildest value. Raises ValueError for a loss that is no share.

    >>> strongest([("fc1", 0, 0.9), ("fc1", 0.99, 0.5), ("fc1", 0.5, 0.895)], loss=0.01)
    {'fc1': 0.5}
    """
    if not 0 <= loss <= 1:
        raise ValueError(f"loss is {loss}, but must be a share from 0 to 1: one point is 0.01")
    found = {}
    for layer, curve in _curves(scan).items():
        mildest = next(iter(curve.items()))
        whole = mildest[1] if reference is None else reference
        held = [item for item in curve.items() if whole - item[1] <= loss + ROUNDING]
        found[layer] = max(held or [mildest], key=_from_mildest(curve))[0]
    return found


def by_layer(model: nn.Module, method: Method, values: Mapping[str, float], data: Data | None = None) -> nn.Module:
    """Return a copy in which each of the layers is compressed at its own value, one after the other.

    Raises ValueError for a layer that does not exist, and for a value that is not on its knob.

    >>> from labkit import zoo
    >>> from labkit.pruning import Magnitude
    >>> model = by_layer(zoo.load("LeNet-300-100"), Magnitude(), {"fc1": 0.9, "fc3": 0.5})
    >>> [round((model.get_submodule(path).weight() == 0).float().mean().item(), 3) for path in ("fc1", "fc2", "fc3")]
    [0.9, 0.0, 0.5]
    """
    for layer, value in values.items():
        model = method.prepare(model, data, layer).at(value)
    return model


def balanced(scan: Iterable[Point] | Curves, model: nn.Module, share: float) -> float:
    """Return the smallest tolerated loss for which `strongest` sets a share of all weights to zero.

    The scan is one over sparsities: its values are shares of zeros. Layers that are not in it count as
    they are. Raises ValueError for other values, and for a share that its strongest values do not reach.

    >>> model = layers.adopt(nn.Sequential(nn.Linear(10, 3), nn.Linear(3, 10)))
    >>> round(balanced({"0": {0: 0.9, 0.8: 0.89}, "1": {0: 0.9, 0.8: 0.6}}, model, share=0.4), 6)
    0.01
    """
    curves = _curves(scan)
    sizes = {path: sum(leaf.shape.numel() for _, leaf in layers.leaves(model, path)) for path in layers.layers(model)}
    missing = [layer for layer in curves if layer not in sizes]
    if missing:
        raise ValueError(f"layer {missing[0]!r} is not in this network: give the network that was scanned")
    if any(not 0 <= value <= 1 for curve in curves.values() for value in curve):
        raise ValueError("the scan's values are no shares of zeros: scan a pruning method whose knob is the sparsity")

    def reached(loss: float) -> float:
        chosen = strongest(curves, loss)
        return sum(sizes[layer] * value for layer, value in chosen.items()) / sum(sizes.values())

    # What is chosen changes only where a point of the scan begins to be tolerated.
    steps = sorted({0.0, *(max(0.0, loss) for curve in curves.values() for loss in _losses(curve))})
    most = reached(steps[-1])
    if not share <= most + ROUNDING:
        raise ValueError(f"a share of {share} zeros is out of reach: the strongest values scanned give {most:.4g}")
    return steps[bisect_left(steps, share - ROUNDING, key=reached)]


def _losses(curve: Mapping[float, float]) -> list[float]:
    """Return what a layer loses at each value against its mildest one."""
    first, *_ = curve.values()
    return [first - accuracy for accuracy in curve.values()]
