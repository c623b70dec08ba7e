"""The time for one picture, measured while the knob rests and given up as soon as it moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import TYPE_CHECKING

from labkit.latency import calibrate, compare, forward, timed

if TYPE_CHECKING:
    from labkit.live.loop import Stale
    from labkit.live.result import Result, Subject

ROUNDS = 9  # enough for two figures


class Moved(Exception):
    """The knob has moved, and nobody waits for this measurement any more."""


def timing(subject: Subject, result: Result, stale: Stale) -> Iterator[None]:
    """Fill in the median time for one picture, then how much faster that is than the original."""

    def work(model) -> Callable[[], object]:
        run = forward(model, subject.data.image_shape, 1, result.choice.device)

        def guarded() -> object:
            if stale():
                raise Moved
            return run()

        return guarded

    try:
        if result.seconds is None:
            now = work(result.model)
            calls = calibrate([now], time.perf_counter)[0]
            result.seconds = median(timed(now, calls, time.perf_counter) for _ in range(ROUNDS))
        if result.faster is None:
            models = (subject.base.model, subject.base.model, result.model)
            result.faster = compare(*map(work, models), rounds=ROUNDS)
            yield
    except Moved:
        return
