"""The first exercise of notebook 08: the survey's three figures of merit, by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from labkit.course.checks import NotYet, exercise
from labkit.rates import compression_rate, space_saving, space_saving_as_printed, speed_up

# Numbers and seconds, before and after: Deep Compression's LeNet-300-100, a net that grew, and one that is slower.
CASES = ((266_610, 22_000, 3e-3, 3e-3), (1_200, 100, 2.0, 0.5), (100, 125, 1.0, 0.8), (5_000, 2_500, 0.01, 0.04))
NAMES = ("compression rate", "space saving", "speed-up")


@exercise(
    "three figures",
    "The rate and the speed-up are quotients, original over compressed. A saving is a share of the original.",
    "A saving of 1 would be everything. The survey divides by the compressed size: what is 12 times smaller then?",
    "return a / a_small, (a - a_small) / a, s / s_small",
)
def three_figures(figures: Callable[[float, float, float, float], Sequence[float]]) -> str:
    """Each figure on its own; the saving as it is printed gets a sentence of its own."""
    for case in CASES:
        a, small, s, faster = case
        expected = compression_rate(a, small), space_saving(a, small), speed_up(s, faster)
        answer = figures(*case)
        if not isinstance(answer, Sequence) or len(answer) != len(NAMES):
            raise NotYet(f"figures should return three numbers, {', '.join(NAMES)}, not {answer!r:.60}.")
        for name, given, right in zip(NAMES, answer, expected, strict=True):
            if not isinstance(given, (int, float)) or not abs(given - right) <= 1e-9 * max(1, abs(right)):
                raise NotYet(_why(name, given, right, case))
    rates = compression_rate(1_200, 100), space_saving(1_200, 100), space_saving_as_printed(1_200, 100)
    return (
        f"With 12 times fewer numbers, the rate is {rates[0]:.0f} and the saving {100 * rates[1]:.1f} %; the "
        f"survey's formula as printed gives {rates[2]:.0f}, which is no share of anything. And none of the three knows "
        "of bits: pruned or clustered, a number is a number."
    )


def _why(name: str, given: object, right: float, case: tuple[float, float, float, float]) -> str:
    """Say which figure is wrong for which case, and what it looks like."""
    a, small, s, faster = case
    pair = f"{s:g} s and {faster:g} s" if name == NAMES[2] else f"{a:,} and {small:,} numbers"
    said = f"For {pair} the {name} is {right:.4g}, and figures gave {given!r:.40}"
    if not isinstance(given, (int, float)):
        return f"{said}: give plain numbers."
    if name == NAMES[1] and abs(given - space_saving_as_printed(a, small)) < 1e-9 * max(1, abs(given)):
        return f"{said}: that is the survey's formula as printed. Divide by the original instead: a saving is a share."
    if abs(given * right - 1) < 1e-9:
        return f"{said}: that is upside down, and above 1 should mean better."
    return f"{said}."


EXERCISES = (three_figures,)
