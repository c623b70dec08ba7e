"""What nothing beats: of many networks, the cheapest at each accuracy."""

from __future__ import annotations

from collections.abc import Iterable

from labkit.benchmark.spots import TWO, Spot


def best(spots: Iterable[Spot], cost: str = "bytes") -> list[Spot]:
    """Return the frontier: the spots that no other beats, from the cheapest to the most accurate.

    One beats another if it is as cheap and as accurate, and better in one of both. Equals: the first is taken.

    >>> from types import SimpleNamespace as S
    >>> found = [S(a=a, accuracy=b, cost=lambda of, a=a: a) for a, b in ((3, 0.9), (2, 0.9), (1, 0.5), (4, 0.8))]
    >>> [spot.a for spot in best(found)]
    [1, 2]
    """
    known = [spot for spot in spots if spot.cost(cost) is not None]
    frontier: list[Spot] = []
    for spot in sorted(known, key=lambda one: (one.cost(cost), -one.accuracy)):
        if not frontier or spot.accuracy > frontier[-1].accuracy:
            frontier.append(spot)
    return frontier


def smallest(spots: Iterable[Spot], accuracy: float, cost: str = "bytes") -> Spot | None:
    """Return the cheapest spot that is at least so accurate (a share); None where none is."""
    good = [spot for spot in spots if spot.accuracy >= accuracy and spot.cost(cost) is not None]
    return min(good, key=lambda spot: spot.cost(cost), default=None)


def single(spots: Iterable[Spot]) -> list[Spot]:
    """Return the spots of one theme alone."""
    return [spot for spot in spots if spot.theme != TWO]
