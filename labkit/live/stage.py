"""What a panel shows now: only its worker thread writes here, and every change is sent at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from torch import Tensor

from labkit.live import controls
from labkit.live.bench import SPAN_S, Bench
from labkit.live.beside import Beside
from labkit.live.loop import Stale
from labkit.live.result import Base, Choice, Result, Subject
from labkit.live.views import sensitivity, words
from labkit.live.views.beside import beside
from labkit.live.views.card import card
from labkit.live.views.flips import flips
from labkit.live.views.learning import Learning
from labkit.live.views.second import VIEWS, second
from labkit.live.views.shipped import shipped
from labkit.live.views.sizes import sizes
from labkit.live.views.tiles import tiles
from labkit.live.views.tradeoff import Trail, tradeoff
from labkit.methods import Knob

HISTORY = 50  # steps that can be undone


class Stage:
    """Turns choices into results and results into parts: small dicts, one for each view.

    `send(parts)` gets the parts that changed. `parts` holds all of them, for who comes later.
    """

    def __init__(self, bench: Bench, send: Callable[[dict], None], data_sets: list[str], compare: bool = False):
        self.bench, self.send, self.data_sets = bench, send, data_sets
        self.beside = Beside(bench, compare)
        self.base: Base | None = None
        self.result: Result | None = None
        self.history: list[Result] = []
        self.trail = Trail()
        self.guess: tuple[int, float] | None = None
        self.view = VIEWS[0]
        self.before: Tensor | None = None  # which pictures were right at the knob's last resting place
        self.parts: dict = {}
        self.training: dict | None = None
        self.learning = Learning()
        self.knob: Knob | None = None
        self.seq = 0  # the browser's latest wish that was taken up

    @property
    def subject(self) -> Subject:
        """The uncompressed network behind what is shown."""
        return self.bench.subject(self.result.choice)

    def show(self, choice: Choice, stale: Stale) -> Iterator[None]:
        """Compress, show the estimate, and refine it until everything is measured or it is stale."""
        if not self.bench.opened(choice):
            self.update(say={"text": f"Opening {choice.network} on {choice.data} …", "rest": False})
        subject = self.bench.subject(choice)
        now = self.result
        if now is None or (now.choice.network, now.choice.data) != (choice.network, choice.data):
            self.base, self.trail, self.before, self.learning = subject.base, Trail(), None, Learning()
        choice = self.bench.settle(choice, self.base)
        yield from self.arrive(self.bench.coarse(choice, self.base), stale)

    def arrive(self, result: Result, stale: Stale) -> Iterator[None]:
        """Show a result as it is known, then each time that more is known."""
        toward = self._direction(result.choice)
        self.result, self.base = result, result.base
        self.beside.move(result)
        self.present()
        yield
        # What the next key press will ask for comes first: the value next to the knob, the way it moves.
        ahead = iter(()) if result.tuned else self.bench.ahead(result.choice, result.base, (toward, -toward))
        next(ahead, None)
        yield from self._compared(self.beside.estimate(stale))
        for _ in self.bench.refine(result, ahead, stale):
            self.present()
            yield
        if result.complete:
            if not stale():  # pictures are looked at when the knob rests
                self.update(flips=flips(self.subject, result, self.bench.split, self.before))
            self.rest()
            yield from self._compared(self.beside.exact(stale))

    def finish(self, stale: Stale) -> Iterator[None]:
        """Measure to the end what something else has interrupted."""
        if self.result is not None and not self.result.complete:
            yield from self.arrive(self.result, stale)
        elif self.result is not None:
            yield from self._compared(self.beside.exact(stale))

    def _compared(self, steps: Iterator[None]) -> Iterator[None]:
        """Send where the other methods are, each time that more is known of them."""
        for _ in steps:
            self.update(beside=beside(self.beside))
            yield

    def idle(self, stale: Stale) -> Iterator[None]:
        """Compute ahead, and then the sensitivity scan if that is looked at."""
        if not self.result.tuned:
            yield from self.bench.ahead(self.result.choice, self.result.base)
            yield from self.beside.ahead()
        if self.view == sensitivity.NAME:
            yield from self.scan(stale)

    def scan(self, stale: Stale) -> Iterator[None]:
        """Go on with the sensitivity scan of the present method until it is complete or stale."""
        found, shown = self.bench.scan(self.result.choice, self.result.base), time.monotonic()
        while not found.complete and not stale():
            found.step()
            if found.complete or time.monotonic() - shown > SPAN_S:
                self.update(picture=self._picture())
                shown = time.monotonic()
            yield

    def _direction(self, choice: Choice) -> int:
        """Say which way the knob moves: 1 or -1 along its values."""
        if self.result is None or replace(self.result.choice, value=choice.value) != choice:
            return 1
        values = self.knob.values
        return 1 if values.index(choice.value) >= values.index(self.result.choice.value) else -1

    def rest(self) -> None:
        """Remember where the knob came to rest, for the button Undo and for the next flips."""
        if not self.history or self.history[-1] is not self.result:
            self.history = [*self.history[1 - HISTORY :], self.result]
            self.before = self.result.predictions == self.subject.data.split(self.bench.split).labels
            self.update(**controls.view(self))

    def present(self) -> None:
        """Send all views of the result."""
        result, subject, split = self.result, self.subject, self.bench.split
        knob = self.knob = self.bench.curve(result.choice, result.base).knob
        for one in (result, *(other for other in self.beside.present.values() if other.tuned)):
            self.trail.visit(_series(one), self._key(one), one.size.total, one.best.value)
        parts = {
            "title": card(self.bench.methods[result.choice.method], result.base.kept),
            **controls.view(self),
            "tiles": tiles(subject, result, split),
            "tradeoff": tradeoff(subject, result, split, self.guess),
            "beside": beside(self.beside),
            "trail": self.trail.view(),
            "shipped": shipped(result.choice, self.bench.methods, split, subject.size.total),
            "views": controls.options("view", list(VIEWS), self.view),
            "picture": self._picture(),
            "sizes": sizes(subject, result),
            "say": {"text": sentence(subject, result, split, knob), "rest": result.complete},
            "alert": "",
        }
        self.update(**parts)

    def _picture(self) -> dict:
        scan = partial(self.bench.scan, self.result.choice, self.result.base)
        return second(self.view, self.subject, self.result, self.bench.split, scan, self.learning)

    def _key(self, result: Result) -> object:
        return len(self.trail.points) if self.training else (result.choice.value, result.tuned)

    def update(self, **parts) -> None:
        """Send the parts that differ from what was sent before."""
        changed = {name: part for name, part in parts.items() if self.parts.get(name) != part}
        self.parts = {**self.parts, **changed}
        if changed:
            self.send(changed)

    def failed(self, error: Exception) -> None:
        """Say in one sentence what went wrong; the views keep the last good result."""
        said = str(error).strip() or type(error).__name__
        if not isinstance(error, (ValueError, RuntimeError, OSError)):
            said = f"{type(error).__name__}: {said}"
        still = ""
        if self.result is not None:
            choice = self.result.choice
            still = f" Shown is still: {choice.method}, {words.setting(self.knob, choice.value)}."
            self.update(**controls.view(self))
        self.update(alert=f"{said.rstrip('.')}.{still}")

    def restart(self, base: Base) -> Choice:
        """Return the choice that starts the present method anew from another base."""
        self.base = base
        return replace(self.result.choice, value=None)


def _series(result: Result) -> str:
    """Name the line on which a result lies: what was done before, with which method, where."""
    place = f" in {result.choice.where}" if result.choice.where else ""
    series = " + ".join([*result.base.kept, result.choice.method + place])
    return f"fine-tuning {series}" if result.tuned else series


def sentence(subject: Subject, result: Result, split: str, knob: Knob) -> str:
    """Say everything in one sentence."""
    best = result.best
    done = [*result.base.kept, f"{words.setting(knob, result.choice.value)}{', fine-tuned' if result.tuned else ''}"]
    ratio = subject.size.total / result.size.total
    smaller = f"{words.figures(ratio)} times smaller than" if ratio > 1.05 else "about as large as"
    counted = f"{best.images:,} {split} pictures" + ("" if result.complete else ", an estimate")
    place = f" in {result.choice.where}" if result.choice.where else ""
    return (
        f"{', then '.join(done)}{place}: {words.percent(best.value)}, {words.size(result.size.total)}, "
        f"{smaller} the original. {counted}, {controls.place(result)}."
    )
