"""The exercise of notebook 05 on a budget: VGG with an eighth of its multiplications, and nearly its accuracy."""

from __future__ import annotations

from collections.abc import Callable

from labkit import data, zoo
from labkit.benchmark import results
from labkit.benchmark.results import Entry
from labkit.course.checks import NotYet, exercise
from labkit.course.exercises.network import chosen
from labkit.filters import METHODS, RIVALS
from labkit.macs import macs
from labkit.methods import Method

NETWORK, TIMES, POINTS = "VGG", 8, 1.5
SWEEPS = ("filters_scratch", "filters_compact")


@exercise(
    "eight times fewer multiplications",
    "Which of the six methods save multiplications at all? Open the panel on VGG, and read the tile.",
    "Only what convolves less saves: Fire modules, and depthwise filters. At full width, the latter saves 7 times.",
    "A little less than the full width is enough: return DepthwiseSeparable(), 0.875",
)
def eight_times_fewer(choose: Callable[[], tuple[Method, float]]) -> str:
    """The multiplications are counted on the network, the accuracy is that of the run of it that the lab ships."""
    method, value = chosen(choose(), (*METHODS, *RIVALS), lambda method: method.knob, "smaller()")
    model, shape = zoo.load(NETWORK), data.load().image_shape
    times = macs(model, shape) / macs(method.prepare(model, data.load()).at(value), shape)
    name = f"{method.title} at {method.knob.show(value)}"
    if times < TIMES:
        raise NotYet(f"{name} takes {times:.1f} times fewer multiplications than VGG, but should take {TIMES}.")
    dense, small = _share("Thinner", 1), _share(type(method).__name__, value)
    if small is None:
        raise NotYet(
            f"{name} takes {times:.1f} times fewer, but no run of it is shipped: take another method or value."
        )
    lost = 100 * (dense - small)
    if lost > POINTS:
        raise NotYet(
            f"{name} takes {times:.1f} times fewer, which is fine, but has {100 * small:.1f} % of the validation "
            f"pictures right where the plain network has {100 * dense:.1f} %: {lost:.1f} points less, not {POINTS}."
        )
    return (
        f"{name}: {times:.1f} times fewer multiplications, and {100 * small:.1f} % right where the plain network has "
        f"{100 * dense:.1f} %, both after two epochs from scratch. Is it faster as well? The tile measures."
    )


def _share(method: str, value: float) -> float | None:
    """Return the share of validation pictures that the shipped run of seed 0 has right; None where there is none."""
    for entry in (entry for sweep in SWEEPS for entry in results.read(sweep)):
        if _is(entry, method, value):
            right, of = entry.result["accuracy"]["validation"]
            return right / of
    return None


def _is(entry: Entry, method: str, value: float) -> bool:
    point = entry.point
    same = (point.network, point.method, point.value, point.seed) == (NETWORK, f"filters.{method}", value, 0)
    return same and bool(entry.result)


EXERCISES = (eight_times_fewer,)
