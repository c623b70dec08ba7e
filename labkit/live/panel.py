"""The live panel: controls that a finger, a cell or a test moves, and the worker that follows."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from labkit.live import actions, state, static
from labkit.live.bench import Bench
from labkit.live.loop import Job, Loop, Stale
from labkit.live.result import Choice
from labkit.live.stage import Stage
from labkit.live.views import sensitivity
from labkit.live.views.second import VIEWS
from labkit.live.wish import among, moved, point, read
from labkit.methods import Method

if TYPE_CHECKING:
    from ipywidgets import DOMWidget

FIRST_S = 10.0  # a cell waits so long for the first picture before the panel is shown
ACTIONS = (actions.tune, actions.stop, actions.save, actions.keep, actions.undo, actions.reset)
BUTTONS = {action.__name__: action for action in ACTIONS}


class Panel:
    """A live panel, as `labkit.live.explore` returns it; Jupyter shows it as the last line of a cell.

    `set` moves the controls as a finger does, `press` presses a button, `wait` waits until all is
    measured, `state` says what is shown, `close` ends it. Only `wait`, `scan` and `close` take time.
    """

    def __init__(
        self, methods: Sequence[Method], model: nn.Module | None, choice: Choice, split: str, beside: bool = False
    ):
        self._bench = Bench(methods, model, split, beside)
        self._stage = Stage(self._bench, self._send, self._bench.data_sets(choice.data), beside)
        self._lock = threading.Lock()
        self._wish = choice
        self._front = None
        self._loop = Loop(self._failed, self._ahead)
        self._submit(choice)

    def set(
        self,
        knob: float | None = None,
        method: str | Method | None = None,
        network: str | None = None,
        data: str | None = None,
        where: str | None = None,
        device: str | None = None,
    ) -> Panel:
        """Move controls: the knob to one of its values, the others to one of their options.

        `where` is the path of a layer or "whole network". Raises ValueError for what is not there.
        """
        with self._lock:
            before = self._wish
        wish = moved(before, self._stage, self._loop.wait, knob, method, network, data, where, device)
        with self._lock:
            self._wish = wish
        self._submit(wish)
        return self

    def press(self, button: str) -> Panel:
        """Press a button: tune, stop, save, keep, undo or reset."""
        action = BUTTONS[among("button", button, list(BUTTONS))]
        self._loop.submit(Job(partial(self._act, action)))
        return self

    def look(self, view: str) -> Panel:
        """Choose the second view by its name: "what the method did", "mask", "filters", "displacement" and others."""
        self._loop.submit(Job(partial(self._look, among("view", view, list(VIEWS)))))
        return self

    def guess(self, size: float, accuracy: float) -> Panel:
        """Draw a prediction as a diamond: bytes of the file, and accuracy from 0 to 1."""
        self._loop.submit(Job(partial(self._guess, point(size, accuracy))))
        return self

    def wait(self, timeout: float = 60.0) -> Panel:
        """Wait until all that was asked for is measured and shown; raise TimeoutError if it takes longer."""
        self._loop.wait(timeout)
        return self

    def scan(self, timeout: float = 120.0) -> dict[str, dict[float, float]]:
        """Look at the sensitivity, and wait until it is known: for each layer its accuracy by value of the knob.

        The mildest value comes first, so that `labkit.sensitivity` can go on from here. Raises TimeoutError
        if it takes longer or something else is asked for meanwhile, ValueError where no layer can be scanned.
        """
        self._loop.submit(Job(partial(self._scan, time.monotonic() + timeout)))
        self._loop.wait(timeout + 10)
        if self._stage.result is None:
            raise ValueError(self.state["alert"] or "there is no network to scan: the panel is closed")
        found = self._bench.scan(self._stage.result.choice, self._stage.result.base)
        if found.failed:
            raise ValueError(found.failed)
        if not found.complete:
            raise TimeoutError(f"the scan has {len(found.points)} points so far: wait for it again, for longer")
        return found.curves

    @property
    def state(self) -> dict:
        """What is shown now, as plain data."""
        return state.of(self._stage)

    def close(self) -> None:
        """End the panel: its thread, its connection to the browser and its caches."""
        self._loop.close()
        if self._front is not None:
            self._front.close()
        self._bench.clear()
        self._stage.history.clear()

    # The worker's side.

    def _submit(self, wish: Choice, seq: int | None = None) -> None:
        self._loop.submit(Job(partial(self._show, wish, seq), merge=True))

    def _show(self, wish: Choice, seq: int | None, stale: Stale) -> Iterator[None]:
        if seq is not None:
            self._stage.seq = seq
        yield from self._stage.show(wish, stale)

    def _act(self, action, stale: Stale) -> Iterator[None]:
        if self._stage.result is None:
            raise ValueError("there is no model yet: choose a method and a network that work together first")
        before = self._wish
        for _ in action(self._stage, stale):
            with self._lock:
                if self._wish is before:  # nobody has moved a control since
                    before = self._wish = self._stage.result.choice
            yield
        yield from self._stage.finish(stale)

    def _guess(self, point: tuple[int, float], stale: Stale) -> Iterator[None]:
        self._stage.guess = point
        yield from self._again(stale)

    def _look(self, view: str, stale: Stale) -> Iterator[None]:
        self._stage.view = view
        yield from self._again(stale)

    def _scan(self, until: float, stale: Stale) -> Iterator[None]:
        yield from self._look(sensitivity.NAME, stale)
        if self._stage.result is not None:
            yield from self._stage.scan(lambda: stale() or time.monotonic() > until)

    def _again(self, stale: Stale) -> Iterator[None]:
        """Show the present result anew."""
        if self._stage.result is not None:
            self._stage.present()
        yield
        yield from self._stage.finish(stale)

    def _ahead(self, stale: Stale) -> Iterator[None]:
        if self._stage.result is not None:
            yield from self._stage.idle(stale)

    def _failed(self, error: Exception) -> None:
        """Say what went wrong, and leave the last good picture."""
        self._stage.failed(error)
        with self._lock:
            result = self._stage.result
            if result is not None and replace(self._wish, value=None) != replace(result.choice, value=None):
                self._wish = result.choice

    # The browser's side.

    def _send(self, parts: dict) -> None:
        if self._front is not None:
            self._front.update(parts)

    def _wanted(self, want: dict) -> None:
        """Take up what the browser wishes."""
        try:
            with self._lock:
                wish = self._wish = read(want, self._wish, self._stage)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            self._loop.submit(Job(partial(_raise, ValueError(f"the browser asked for what is not there ({error})"))))
        else:
            self._submit(wish, want["seq"])

    def widget(self) -> DOMWidget:
        """Return the widget that shows the panel, to be put among others; it has its first picture."""
        with contextlib.suppress(TimeoutError):  # then it opens with what there is, and goes on
            self.wait(FIRST_S)
        if self._front is None:
            from labkit.live.front import Front  # plotly and anywidget are loaded when a panel is shown

            self._front = Front(self._wanted, {"press": self.press, "look": self.look}, lambda: self._stage.parts)
        return self._front

    def _repr_mimebundle_(self, **keywords) -> tuple[dict, dict]:
        """Show the widget where there is a front end, and one still picture where there is none."""
        widget, metadata = self.widget()._repr_mimebundle_(**keywords)
        return widget | {"text/plain": self.state["say"], "image/svg+xml": static.svg(self._stage.parts)}, metadata


def _raise(error: Exception, stale: Stale) -> Iterator[None]:
    raise error
    yield
