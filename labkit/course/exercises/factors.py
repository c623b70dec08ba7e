"""The exercise of notebook 08 on factors: one network, as two papers would count it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from labkit.course.checks import NotYet, exercise

FLOAT_BITS = 32
# Weights, those that are left, bits of each, bits of a gap: Deep Compression's fc1, pruning alone, a dense codebook.
CASES = ((235_200, 18_816, 6, 5), (266_200, 4_800, 32, 8), (10_000, 10_000, 4, 0), (1_000, 100, 1, 5))


@exercise(
    "two papers' factors",
    "The first paper counts weights alone. The second counts what must be stored for each weight that is left.",
    "A stored weight has its own bits, and those of the gap before it. A codebook has 2 ** bits float32 values.",
    "book = 32 * 2**bits if bits < 32 else 0; return weights / kept, 32 * weights / (kept * (bits + gap) + book)",
)
def two_papers(count: Callable[[int, int, int, int], Sequence[float]]) -> str:
    """Inverse density, as dynamic network surgery counts, and bits with positions and codebook, as Deep Compression."""
    for case in CASES:
        answer = count(*case)
        if not isinstance(answer, Sequence) or len(answer) != 2:
            raise NotYet(f"count should return two factors, not {answer!r:.60}.")
        for name, given, right in zip(("first", "second"), answer, expected(*case), strict=True):
            if not isinstance(given, (int, float)) or not abs(given - right) <= 1e-9 * right:
                raise NotYet(_why(name, given, right, case))
    by_weights, by_bits = expected(*CASES[1])
    return (
        f"Pruned to 1.8 % and not quantised, LeNet-300-100 is {by_weights:.0f} times smaller for one paper and "
        f"{by_bits:.0f} times for the other: the positions cost a quarter of a weight each. With few bits it turns "
        f"round: {expected(*CASES[0])[0]:.1f} by weights, {expected(*CASES[0])[1]:.1f} by bits. So two papers' factors "
        "compare only where both count positions, codebooks, biases and baseline alike."
    )


def expected(weights: int, kept: int, bits: int, gap: int) -> tuple[float, float]:
    """Return both factors.

    >>> [round(factor, 1) for factor in expected(266_200, 4_800, 32, 8)]
    [55.5, 44.4]
    """
    book = FLOAT_BITS * 2**bits if bits < FLOAT_BITS else 0
    return weights / kept, FLOAT_BITS * weights / (kept * (bits + gap) + book)


def _why(name: str, given: object, right: float, case: tuple[int, int, int, int]) -> str:
    weights, kept, bits, gap = case
    said = (
        f"With {kept:,} of {weights:,} weights left, {bits} bits each and {gap} for a gap, the {name} factor is "
        f"{right:.2f}, and count gave {given!r:.40}"
    )
    if name == "second" and isinstance(given, (int, float)):
        if bits < FLOAT_BITS and abs(given - FLOAT_BITS * weights / (kept * (bits + gap))) < 1e-6 * right:
            return f"{said}: the codebook of 2**bits float32 values is missing."
        book = FLOAT_BITS * 2**bits if bits < FLOAT_BITS else 0
        if gap and abs(given - FLOAT_BITS * weights / (kept * bits + book)) < 1e-6 * right:
            return f"{said}: the bits of the gaps are missing."
    return f"{said}."


EXERCISES = (two_papers,)
