"""The exercise of notebook 08 on time: is a speed-up real, if the baseline against itself is uncertain too?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labkit.course.checks import NotYet, exercise
from labkit.latency import Ratio, ratio_of

ROUNDS = 40
Judge = Callable[[np.ndarray, np.ndarray, np.ndarray], bool]


@exercise(
    "is it real?",
    "Times of one round belong together: divide within a round, baseline / other and baseline / again.",
    "The median of the ratios must lie above nine in ten of the controls, and its own range must leave 1 out.",
    "control = np.percentile(baseline / again, 95); ratios = baseline / other; "
    "return bool(np.median(ratios) > control and np.percentile(ratios, 5) > 1)",
)
def is_it_real(real: Judge) -> str:
    """Series of times that leave no doubt about the answer, each with its reason."""
    for why, expected, times in _cases():
        answer = real(*(part.copy() for part in times))
        if not isinstance(answer, (bool, np.bool_)):
            raise NotYet(f"real should return True or False, not {answer!r:.40}.")
        if bool(answer) != expected:
            raise NotYet(f"{why} (median ratio and control: {_said(ratio_of(*times))}). real said {bool(answer)}.")
    return (
        "A ratio is real only where it leaves the control behind. Without the control, a busy machine makes "
        "speed-ups of its own, and by this rule alone many a published factor could not be told from 1."
    )


def _said(found: Ratio) -> str:
    return f"× {found.value:.2f}, × {found.control_low:.2f} to {found.control_high:.2f}"


def _cases() -> list[tuple[str, bool, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Return for each case what it is, the right answer, and seconds of the baseline, the baseline again, the other."""
    random = np.random.default_rng(0)

    def near(seconds: float, spread: float) -> np.ndarray:
        return seconds * np.exp(spread * random.standard_normal(ROUNDS))

    outlier = near(1.0, 0.01)
    outlier[3] = 60.0  # another program took the processor for a while
    drift = np.linspace(1.0, 3.0, ROUNDS)  # the machine slows down, for all three alike
    return [
        ("Twice as fast, quietly measured, is real", True, (near(1.0, 0.01), near(1.0, 0.01), near(0.5, 0.01))),
        ("The same network is no faster", False, (near(1.0, 0.01), near(1.0, 0.01), near(1.0, 0.01))),
        ("5 % inside a control of ± 30 % is noise", False, (near(1.0, 0.2), near(1.0, 0.2), near(0.95, 0.2))),
        ("5 % outside a control of ± 1 % is real", True, (near(1.0, 0.005), near(1.0, 0.005), near(0.95, 0.005))),
        ("One slow round makes a mean, not a median", False, (outlier, near(1.0, 0.01), near(1.0, 0.01))),
        ("Twice as slow is no speed-up", False, (near(1.0, 0.01), near(1.0, 0.01), near(2.0, 0.01))),
        (
            "The machine slowed down during the runs, but within each round the other took half",
            True,
            (drift * near(1.0, 0.01), drift * near(1.0, 0.01), drift * near(0.5, 0.01)),
        ),
        (
            "The baseline itself was 1.5 times faster when it ran again: what ran later ran faster",
            False,
            (near(1.5, 0.01), near(1.0, 0.01), near(1.0, 0.01)),
        ),
    ]


EXERCISES = (is_it_real,)
