"""The live panel: controls that a finger, a cell or a test moves, and the worker that follows."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from torch import nn

from labkit import hardware, layers
from labkit.live import actions, state, static
from labkit.live.bench import WHOLE, Bench, Choice
from labkit.live.loop import Job, Loop, Stale
from labkit.live.stage import Stage
from labkit.methods import Method

FIRST_S = 10.0  # a cell waits so long for the first picture before the panel is shown
BUTTONS = {action.__name__: action for action in (actions.tune, actions.stop, actions.save, actions.keep, actions.undo, actions.reset)}


class Panel:
    """A live panel, as `labkit.live.explore` returns it; Jupyter shows it as the last line of a cell.

    `set` moves the controls as a finger does, `press` presses a button, `wait` waits until all is
    measured, `state` says what is shown, `close` ends it. Only `wait` and `close` take time.
    """

    def __init__(self, methods: Sequence[Method], model: nn.Module | None, choice: Choice, split: str):
        self._bench = Bench(methods, model, split)
        self._data_sets = self._bench.data_sets(choice.data)
        self._stage = Stage(self._bench, self._send, self._data_sets)
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
            wish = self._wish
            if data is not None:
                wish = replace(wish, data=_among("data", data, self._data_sets), where=None)
            names = self._bench.networks(wish.data)
            if network is not None:
                wish = replace(wish, network=_among("network", network, names), where=None)
            elif wish.network not in names:
                wish = replace(wish, network=names[0])
            if method is not None:
                name = method if isinstance(method, str) else method.title
                wish = replace(wish, method=_among("method", name, list(self._bench.methods)), value=None)
            if device is not None:
                wish = replace(wish, device=_among("device", device, list(hardware.devices())))
            if where is not None:
                wish = replace(wish, where=None if where == WHOLE else _among("where", where, self._places(wish)))
            if knob is not None:
                wish = replace(wish, value=self._checked(wish, knob))
            self._wish = wish
        self._submit(wish)
        return self

    def press(self, button: str) -> Panel:
        """Press a button: tune, stop, save, keep, undo or reset."""
        action = BUTTONS[_among("button", button, list(BUTTONS))]
        self._loop.submit(Job(partial(self._act, action)))
        return self

    def guess(self, size: float, accuracy: float) -> Panel:
        """Draw a prediction as a diamond: bytes of the file, and accuracy from 0 to 1."""
        if not (size > 0 and 0 <= accuracy <= 1):
            raise ValueError(f"guess({size!r}, {accuracy!r}) is no point: give bytes above 0 and an accuracy from 0 to 1")
        self._loop.submit(Job(partial(self._guess, (int(size), float(accuracy)))))
        return self

    def wait(self, timeout: float = 60.0) -> Panel:
        """Wait until all that was asked for is measured and shown; raise TimeoutError if it takes longer."""
        self._loop.wait(timeout)
        return self

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

    def _checked(self, wish: Choice, value: float) -> float:
        """Check a value where its knob is shown; a knob that is not prepared yet falls back to its start."""
        result, knob = self._stage.result, self._stage.knob
        if result is not None and replace(result.choice, value=wish.value) == wish:
            knob.check(value)
        return value

    def _places(self, wish: Choice) -> list[str]:
        """List the layers of the wished network, where it is the one that is shown."""
        result = self._stage.result
        if result is None or (result.choice.network, result.choice.data) != (wish.network, wish.data):
            self._loop.wait()
            result = self._stage.result
        return list(layers.layers(result.base.model))

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

    def _guess(self, point: tuple[int, float], stale: Stale) -> Iterator[None]:
        self._stage.guess = point
        if self._stage.result is not None:
            self._stage.present()
        yield

    def _ahead(self, stale: Stale) -> Iterator[None]:
        result = self._stage.result
        if result is not None and not result.tuned:
            yield from self._bench.ahead(result.choice, result.base)

    def _failed(self, error: Exception) -> None:
        """Say what went wrong, and leave the last good picture."""
        self._stage.failed(error)
        with self._lock:
            if self._stage.result is not None and replace(self._wish, value=None) != replace(self._stage.result.choice, value=None):
                self._wish = self._stage.result.choice

    # The browser's side.

    def _send(self, parts: dict) -> None:
        if self._front is not None:
            self._front.update(parts)

    def _wanted(self, want: dict) -> None:
        """Take what the browser wishes: options by name, and the knob as the number of its value."""
        try:
            wish = self._read(want)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            self._loop.submit(Job(partial(_raise, ValueError(f"the browser asked for what is not there: {error}"))))
            return
        with self._lock:
            self._wish = wish
        self._submit(wish, want["seq"])

    def _read(self, want: dict) -> Choice:
        data = _among("data", want["data"], self._data_sets)
        names = self._bench.networks(data)
        wish = Choice(
            method=_among("method", want["method"], list(self._bench.methods)),
            network=want["network"] if want["network"] in names else names[0],
            data=data,
            where=None if want["where"] == WHOLE else want["where"],
            device=_among("device", want["device"], list(hardware.devices())),
        )
        if want["network"] != wish.network or want["data"] != self._wish.data:
            wish = replace(wish, where=None)
        if want["knob"] is None or self._stage.knob is None:
            return wish
        return replace(wish, value=self._stage.knob.values[want["knob"]])

    def _repr_mimebundle_(self, **keywords) -> tuple[dict, dict]:
        """Show the widget where there is a front end, and one still picture where there is none."""
        try:
            self.wait(FIRST_S)
        except TimeoutError:
            pass  # the panel opens with what there is, and goes on
        if self._front is None:
            from labkit.live.front import Front  # plotly and anywidget are loaded when a panel is shown

            self._front = Front(self._wanted, self.press, lambda: self._stage.parts)
        widget, metadata = self._front._repr_mimebundle_(**keywords)
        return widget | {"text/plain": self.state["say"], "image/svg+xml": static.svg(self._stage.parts)}, metadata


def _raise(error: Exception, stale: Stale) -> Iterator[None]:
    raise error
    yield


def _among(name: str, value: str, allowed: list[str]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} {value!r} is not in this panel: choose one of {', '.join(allowed)}")
    return value
