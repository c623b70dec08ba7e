"""What the buttons do: each is a generator that the worker runs, one yield for each picture shown."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from labkit import storage
from labkit.data import Data
from labkit.live.lesson import Lesson
from labkit.live.loop import Stale
from labkit.live.result import Base
from labkit.live.stage import Stage
from labkit.live.views import words
from labkit.live.views.learning import Learning
from labkit.train import Recipe

TUNE_S = 10.0
SPAN_S = 0.4  # between two points of a training run
TRIAL = 20  # steps that measure how fast this machine trains


def tune(stage: Stage, stale: Stale) -> Iterator[None]:
    """Train the model that is shown for about ten seconds, those beside it in turns; the points move as they learn."""
    together = [stage.result, *stage.beside.present.values()]
    chosen = stage.result.choice
    curve = stage.bench.curve(chosen, stage.result.base)
    recipe, data = plan(curve, chosen, stage.subject.data, TUNE_S / len(together))
    first, *others = [Lesson(stage.bench, one, data, recipe.epochs) for one in together]
    stage.learning = Learning()
    _show(stage, first, others)
    start = shown = time.perf_counter()
    try:
        while first.step():
            for other in others:
                other.follow()
            if stale() or time.perf_counter() - start > 1.5 * TUNE_S:
                break
            if time.perf_counter() - shown > SPAN_S * len(together):
                stage.training = {"share": round(first.share, 3), "text": f"training: loss {first.progress.loss:.3f}"}
                _show(stage, first, others)
                stage.present()
                yield
                shown = time.perf_counter()
    finally:
        stage.training = None
    _show(stage, first, others)
    yield from stage.arrive(stage.result, stale)


def _show(stage: Stage, first: Lesson, others: list[Lesson]) -> None:
    """Put the results of lessons in their places."""
    stage.result = first.result()
    for other in others:
        stage.beside.train(other.begun.choice.method, other.result())
    found = [stage.result, *(stage.beside.results[other.begun.choice.method] for other in others)]
    stage.learning.note(first.share, {one.choice.method: one.best.value for one in found})


def plan(curve, choice, data: Data, seconds: float) -> tuple[Recipe, Data]:
    """Find epochs and pictures that take about so long here, so that the learning rate falls to zero in time."""
    trial = replace(curve.method.recipe, epochs=1)
    start = time.perf_counter()
    run = curve.train(choice.value, data, trial, choice.device)
    steps = 0
    for progress, _ in run:
        steps = progress.step
        if steps >= TRIAL:
            break
    run.close()
    possible = max(TRIAL, int(seconds * steps / (time.perf_counter() - start)))
    epoch = len(data.train) // trial.batch
    if possible >= epoch:
        return replace(trial, epochs=round(possible / epoch)), data
    return trial, replace(data, train=data.train.take(slice(possible * trial.batch)))


def save(stage: Stage, stale: Stale) -> Iterator[None]:
    """Write the model that is shown into the working folder, and say its real size."""
    result = stage.result
    if not result.complete:  # what is said last stays: that it was saved
        yield from stage.arrive(result, stale)
    knob = stage.bench.curve(result.choice, result.base).knob
    words_of = [result.choice.network, result.choice.data, *result.base.kept, result.choice.method]
    words_of += [words.setting(knob, result.choice.value), "tuned" if result.tuned else ""]
    name = re.sub(r"[^\w.]+", "-", " ".join(filter(None, words_of))).strip("-") + ".safetensors"
    written = storage.save(result.model, Path(name))
    stage.update(say={"text": f"Saved {name}: {written:,} bytes. labkit.load({name!r}) brings it back.", "rest": True})
    yield


def keep(stage: Stage, stale: Stale) -> Iterator[None]:
    """Make the model that is shown the starting point of the next method."""
    result = stage.result
    knob = stage.bench.curve(result.choice, result.base).knob
    done = f"{result.choice.method}, {words.setting(knob, result.choice.value)}{', fine-tuned' if result.tuned else ''}"
    if result.choice.where:
        done += f" in {result.choice.where}"
    choice = stage.restart(Base(result.model, (*result.base.kept, done)))
    yield from stage.show(choice, stale)


def undo(stage: Stage, stale: Stale) -> Iterator[None]:
    """Go back to where the knob rested before."""
    if stage.history and stage.history[-1] is stage.result:
        stage.history.pop()
    if stage.history:
        back = stage.history.pop()
        stage.before = None
        yield from stage.arrive(back, stale)


def reset(stage: Stage, stale: Stale) -> Iterator[None]:
    """Go back to the original network with the knob at its start, and clear the trail."""
    choice = stage.restart(stage.subject.base)
    stage.trail.points.clear()
    stage.before = None
    yield from stage.show(choice, stale)


def stop(stage: Stage, stale: Stale) -> Iterator[None]:
    """Measure what is there: that this job waits has ended the training run before it."""
    yield from stage.arrive(stage.result, stale)
