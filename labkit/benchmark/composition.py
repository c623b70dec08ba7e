"""A small search for the best composition of two themes: the smallest file that loses no more than so much accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from labkit import storage
from labkit.benchmark.spots import setting
from labkit.data import Data
from labkit.measure import Accuracy, accuracy
from labkit.methods import Curve, Method
from labkit.table import Table

SHOWN = 6


@dataclass(frozen=True)
class Found:
    """One network that the search measured: what was done, its bytes and its accuracy; `good` if it may be chosen."""

    title: str
    bytes: int
    accuracy: Accuracy
    good: bool
    model: nn.Module


def search(
    model: nn.Module,
    data: Data,
    firsts: Sequence[Method],
    second: Method,
    lost: float = 0.01,
    values: Callable[[Curve], Sequence[float]] = lambda curve: curve.knob.values,
    split: str = "validation",
) -> Iterator[Found]:
    """Yield what a search measures that looks for the smallest file within `lost` (a share) of the model's accuracy.

    For each first method, from the mildest of its `values` on: where the first step alone has lost too much, stronger
    values are left out; else the strongest value of the second method that is good enough is found by halving, as if
    accuracy only fell. So each first value costs about log2 of the second's values, not all of them, and nothing is
    trained. Raises ValueError for a share that is none.

    >>> from labkit import data, zoo
    >>> from labkit.pruning import Magnitude
    >>> from labkit.quantization import KMeans
    >>> some = search(zoo.load("LeNet-300-100"), data.load(), [Magnitude()], KMeans(), values=lambda curve: (0.3, 0.5))
    >>> best(list(some)).title
    'Magnitude pruning, sparsity 30 %, then k-means codebook, 4 bits'
    """
    if not 0 <= lost < 1:
        raise ValueError(f"lost is {lost}, but must be a share from 0 to 1: 0.01 is one point of accuracy")
    bar = accuracy(model, data, split).value - lost
    for first in firsts:
        curve = first.prepare(model, data)
        for value in _mildest_first(curve, values(curve)):
            small = curve.at(value)
            name = f"{first.title}, {setting(curve.knob, value)}"
            alone = _measured(small, name, data, split, bar)
            yield alone
            if not alone.good:
                break
            yield from _halve(second.prepare(small, data), name, data, split, bar)


def best(found: Sequence[Found]) -> Found | None:
    """Return the smallest file among those that are good enough; None where none is."""
    return min((one for one in found if one.good), key=lambda one: one.bytes, default=None)


def table(found: Sequence[Found]) -> Table:
    """List the smallest networks that are good enough, and say how many were measured."""
    good = sorted((one for one in found if one.good), key=lambda one: one.bytes)[:SHOWN]
    rows = [
        [(one.title, ""), (f"{one.bytes:,} bytes", ""), (f"{100 * one.accuracy.value:.2f} %", "")] for one in good
    ] or [[("none so far", ""), ("", ""), ("", "")]]
    split = f"{found[0].accuracy.images:,} pictures" if found else ""
    return Table(f"The smallest of {len(found)} networks, on {split}", ("what was done", "file", "accuracy"), rows)


def _halve(curve: Curve, name: str, data: Data, split: str, bar: float) -> Iterator[Found]:
    """Halve the values of the second knob: the strongest one that is good enough is measured last but few."""
    order = _mildest_first(curve, curve.knob.values)
    low, high = 0, len(order)  # values before `low` are good, those from `high` on are not
    while low < high:
        middle = (low + high) // 2
        value = order[middle]
        done = f"{name}, then {curve.method.title}, {setting(curve.knob, value)}"
        found = _measured(curve.at(value), done, data, split, bar)
        yield found
        low, high = (middle + 1, high) if found.good else (low, middle)


def _mildest_first(curve: Curve, values: Sequence[float]) -> list[float]:
    """Order values so that the file shrinks."""
    ordered = sorted(values)
    ends = [storage.size(curve.at(value)).total for value in (ordered[0], ordered[-1])]
    return ordered if ends[0] >= ends[1] else ordered[::-1]


def _measured(model: nn.Module, title: str, data: Data, split: str, bar: float) -> Found:
    share = accuracy(model, data, split)
    return Found(title, storage.size(model).total, share, share.value >= bar, model)
