"""The exercise of notebook 03 on time: from which n on a circulant matrix pays on this machine."""

from __future__ import annotations

from collections.abc import Callable

from labkit.course.checks import NotYet, exercise
from labkit.structured.speed import BATCHES, SIZES, Timed, against_n

STRUCTURE = "circulant"
CLEAR = 1.3  # times faster or slower: less may be noise, and is not held against an answer
BUDGET_S = 4.0


@exercise(
    "where it pays",
    "In the lower plots, find the line of the circulant and the thick one of the dense matrix. Where do they cross?",
    "The ring on the circulant's line marks the first n from which on it is faster at every size.",
    "return {1: n at batch 1, 256: n at batch 256}, with the n of the two rings.",
)
def where_it_pays(pays: Callable[[], dict[int, int]]) -> str:
    """At twice the n the circulant is not clearly slower, and at half of it not clearly faster."""
    answer = pays()
    if not isinstance(answer, dict) or set(answer) != set(BATCHES):
        raise NotYet(f"pays() should return a dict with the keys {' and '.join(map(str, BATCHES))}, not {answer!r}.")
    said = []
    for batch, n in answer.items():
        if n not in SIZES:
            raise NotYet(f"For batch {batch} n is {n!r}, but should be one of {', '.join(map(str, SIZES))}.")
        said += [_judged(one, n) for one in _measured(n, batch)]
    return f"{' '.join(said)} Fewer multiplications pay only where a processor is not better at something else."


def _measured(n: int, batch: int) -> list[Timed]:
    sizes = [size for size in (n // 2, 2 * n) if size in SIZES]
    found = against_n(sizes, (batch,), (STRUCTURE,), budget_s=BUDGET_S)
    return [one for one in found if one.structure == STRUCTURE]


def _judged(one: Timed, n: int) -> str:
    """Say what was measured; raise NotYet where that is clearly against the answer."""
    measured = f"At n = {one.n:,} and batch {one.batch} the circulant is {one.ratio.value:.2f} times as fast as dense"
    if one.n > n and one.ratio.high < 1 / CLEAR:
        raise NotYet(f"{measured}: it does not pay there yet, so {n:,} is too small.")
    if one.n < n and one.ratio.low > CLEAR:
        raise NotYet(f"{measured}: it pays there already, so {n:,} is too large.")
    return f"{measured}."


EXERCISES = (where_it_pays,)
