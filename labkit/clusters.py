"""k-means in one dimension, and three ways to place its first centroids among the sorted weights.

    minimise  sum_i (w_i - c_{a(i)})^2  over k centroids c and the assignment a.

In one dimension clusters are intervals of the sorted weights, so Lloyd's iteration needs only the
intervals' ends, and prefix sums of the sorted weights give every mean at once: O(k log n) an
iteration (Lloyd 1982). It only walks downhill, so the start decides where it ends:

- linear: at equal steps from the smallest weight to the largest. Large weights, which are few and
  matter much, get centroids of their own. Best of its paper's starts, except at 3 bits (Han 2016).
- density: at equal counts, so at quantiles. Most centroids fall where most weights are: near zero.
- companding: at equal steps of the integral of density^(1/3), between the two; optimal for many
  centroids (Panter and Dite 1951).

Every start takes the sorted weights (n,), how many centroids to place, and optionally the prefix
sums (n + 1,) of what each weight counts; without, each counts 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

GROUP = 4  # weights in a group whose width tells the density
MOST_GROUPS = 2048

Start = Callable[[np.ndarray, int, np.ndarray | None], np.ndarray]


def prefix_sums(values: np.ndarray) -> np.ndarray:
    """Add up numbers from the left, so that the sum of values[a:b] is sums[b] - sums[a].

    >>> prefix_sums(np.array([1.0, 2.0])).tolist()
    [0.0, 1.0, 3.0]
    """
    return np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])


def lloyd(
    ordered: np.ndarray,
    centroids: np.ndarray,
    sums: np.ndarray | None = None,
    masses: np.ndarray | None = None,
    iterations: int = 20,
) -> tuple[np.ndarray, np.ndarray]:
    """Move each centroid to the mean of the weights nearest to it, until nothing moves (Lloyd 1982).

        c_j = sum h_i w_i / sum h_i  over cluster j: all h_i = 1, unless prefix sums of other h are given

    `ordered` (n,) are the weights and `centroids` (k,) the start, both in ascending order. `sums`
    (n + 1,) are the prefix sums of h w, and `masses` (n + 1,) those of h. Returns the centroids (k,)
    and the interval ends (k + 1,): cluster j is ordered[ends[j]:ends[j + 1]].

    >>> lloyd(np.array([0.0, 1.0, 10.0, 11.0]), np.array([0.0, 1.0]))[0].tolist()
    [0.5, 10.5]
    """
    sums = prefix_sums(ordered) if sums is None else sums
    ends = _intervals(ordered, centroids)
    for _ in range(iterations):
        mass = np.diff(ends) if masses is None else np.diff(masses[ends])
        means = np.diff(sums[ends]) / np.where(mass > 0, mass, 1)
        centroids = np.where(mass > 0, means, centroids)  # an empty cluster stays where it is
        moved = _intervals(ordered, centroids)
        if np.array_equal(moved, ends):
            break
        ends = moved
    return centroids, ends


def _intervals(ordered: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    middles = (centroids[1:] + centroids[:-1]) / 2
    return np.concatenate([[0], np.searchsorted(ordered, middles), [len(ordered)]])


def linear_start(ordered: np.ndarray, count: int, masses: np.ndarray | None = None) -> np.ndarray:
    """Place `count` centroids at c_j = min + j (max - min) / (count - 1); a single one in the middle (Han 2016).

    >>> linear_start(np.array([0.0, 0.0, 0.0, 1.0]), 3).tolist()
    [0.0, 0.5, 1.0]
    """
    low, high = float(ordered[0]), float(ordered[-1])
    return np.linspace(low, high, count) if count > 1 else np.array([(low + high) / 2])


def density_start(ordered: np.ndarray, count: int, masses: np.ndarray | None = None) -> np.ndarray:
    """Place `count` centroids in the middles of groups of equal mass: c_j = F^-1((j + 1/2) / count) (Han 2016).

    >>> density_start(np.array([0.0, 0.0, 0.0, 1.0]), 2).tolist()
    [0.0, 1.0]
    """
    return ordered[_quantiles(ordered, (np.arange(count) + 0.5) / count, masses)].astype(np.float64)


def companding_start(ordered: np.ndarray, count: int, masses: np.ndarray | None = None) -> np.ndarray:
    """Place `count` centroids at equal steps of the integral of density^(1/3) (Panter and Dite 1951).

    The density comes from groups of equal mass: over a group of width w it is proportional to 1 / w,
    so its share of the integral is w * (1 / w)^(1/3) = w^(2/3). Unlike a histogram's bins, such groups
    are also right where weights are few.

    >>> companding_start(np.linspace(0, 1, 1001), 2).round(2).tolist()
    [0.25, 0.75]
    """
    last = len(ordered) - 1
    groups = min(max(len(ordered) // GROUP, 2 * count), max(last, 1), MOST_GROUPS)
    shares = np.linspace(0, 1, groups + 1)
    edges = ordered[(shares * last).astype(np.int64) if masses is None else _quantiles(ordered, shares, masses)]
    integral = np.concatenate([[0.0], np.cumsum(np.diff(edges) ** (2 / 3))])
    return np.interp((np.arange(count) + 0.5) / count * integral[-1], integral, edges)


STARTS: dict[str, Start] = {"companding": companding_start, "linear": linear_start, "density": density_start}


def place(name: str, ordered: np.ndarray, count: int, masses: np.ndarray | None = None) -> np.ndarray:
    """Place `count` centroids by the start of that name, or on every distinct weight where those are fewer.

    Raises ValueError for a name that no start has.

    >>> place("linear", np.array([0.0, 3.0, 3.0]), 4).tolist()
    [0.0, 3.0]
    """
    start = STARTS[check_start(name)]
    distinct = ordered[np.append(True, np.diff(ordered) > 0)]
    return distinct.astype(np.float64) if len(distinct) <= count else start(ordered, count, masses)


def check_start(name: str) -> str:
    """Return the name of a start, or raise ValueError naming the allowed ones."""
    if name not in STARTS:
        raise ValueError(f"start is {name!r}, but must be one of {', '.join(STARTS)}")
    return name


def _quantiles(ordered: np.ndarray, shares: np.ndarray, masses: np.ndarray | None) -> np.ndarray:
    """Return the indices of the weights in which these shares of the whole mass are reached."""
    masses = np.arange(len(ordered) + 1.0) if masses is None else masses
    found = np.searchsorted(masses, shares * masses[-1], side="right") - 1
    return np.clip(found, 0, len(ordered) - 1)


@dataclass(frozen=True)
class Ordered:
    """Numbers that are sorted once, for codebooks of any size, of all of them or of some.

    `order` (n,) says where in the unsorted row each of the sorted `values` (n,) stands, `sums` (n + 1,) are
    their prefix sums.

    >>> row = Ordered.of(np.array([10.0, 0.0, 11.0, 1.0]))
    >>> centroids, sizes = row.clusters(2)
    >>> centroids.tolist(), sizes.tolist(), row.codes(sizes).tolist()
    ([0.5, 10.5], [2, 2], [1, 0, 1, 0])
    """

    order: np.ndarray
    values: np.ndarray
    sums: np.ndarray

    @staticmethod
    def of(values: np.ndarray) -> Ordered:
        """Sort a row of numbers (n,)."""
        order = np.argsort(values, kind="stable")
        return Ordered(order, values[order], prefix_sums(values[order]))

    def among(self, chosen: np.ndarray) -> Ordered:
        """Return the row of the chosen numbers alone: `chosen` (n,) is a mask over the unsorted row."""
        inside = chosen[self.order]
        places = np.cumsum(chosen) - 1
        values = self.values[inside]
        return Ordered(places[self.order[inside]], values, prefix_sums(values))

    def clusters(self, count: int, start: str = "companding") -> tuple[np.ndarray, np.ndarray]:
        """Return the centroids in use (at most `count`, float32) and how many numbers belong to each."""
        centroids, ends = lloyd(self.values, place(start, self.values, count), self.sums)
        sizes = np.diff(ends)
        return centroids[sizes > 0].astype(np.float32), sizes[sizes > 0]

    def codes(self, sizes: np.ndarray) -> np.ndarray:
        """Return the number of each number's cluster, (n,), in the unsorted row."""
        codes = np.empty(len(self.order), dtype=np.int32)
        codes[self.order] = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        return codes
