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
