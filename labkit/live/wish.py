"""From what a finger, a cell or a browser asks for to a Choice: only what is there can be chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from labkit import hardware, layers
from labkit.live.result import WHOLE, Choice
from labkit.live.stage import Stage
from labkit.methods import Method


def among(name: str, value: str, allowed: list[str]) -> str:
    """Return the value, or raise ValueError naming the allowed ones."""
    if value not in allowed:
        raise ValueError(f"{name} {value!r} is not here: choose one of {', '.join(allowed)}")
    return value


def point(size: float, accuracy: float) -> tuple[int, float]:
    """Return a guess, bytes of the file and accuracy from 0 to 1; raise ValueError where it is no point of the plot."""
    if not (size > 0 and 0 <= accuracy <= 1):
        raise ValueError(f"guess({size!r}, {accuracy!r}) is no point: give bytes above 0, and an accuracy up to 1")
    return int(size), float(accuracy)


def moved(
    wish: Choice,
    stage: Stage,
    settle: Callable[[], None],
    knob: float | None,
    method: str | Method | None,
    network: str | None,
    data: str | None,
    where: str | None,
    device: str | None,
) -> Choice:
    """Return the wish with some controls moved; `settle()` waits until an earlier wish is shown."""
    if data is not None:
        wish = replace(wish, data=among("data", data, stage.data_sets), where=None)
    names = stage.bench.networks(wish.data)
    if network is not None:
        wish = replace(wish, network=among("network", network, names), where=None)
    elif wish.network not in names:
        wish = replace(wish, network=names[0])
    if method is not None:
        title = method if isinstance(method, str) else method.title
        wish = replace(wish, method=among("method", title, list(stage.bench.methods)), value=None)
    if device is not None:
        wish = replace(wish, device=among("device", device, list(hardware.devices())))
    if where is not None:
        wish = replace(wish, where=_place(wish, stage, settle, where))
    if knob is not None:
        _check(wish, stage, knob)
        wish = replace(wish, value=knob)
    return wish


def _place(wish: Choice, stage: Stage, settle: Callable[[], None], where: str) -> str | None:
    """Check the path of a layer, once the wished network is open."""
    if where == WHOLE:
        return None
    if stage.result is None or (stage.result.choice.network, stage.result.choice.data) != (wish.network, wish.data):
        settle()
    return among("where", where, [WHOLE, *layers.layers(stage.result.base.model)])


def _check(wish: Choice, stage: Stage, value: float) -> None:
    """Check a value where its knob is shown; elsewhere `Bench.settle` falls back to the knob's start."""
    if stage.result is not None and replace(stage.result.choice, value=wish.value) == wish:
        stage.knob.check(value)


def read(want: dict, wish: Choice, stage: Stage) -> Choice:
    """Read the browser's wish: all options by name, and the knob as the number of its value or null."""
    data = among("data", want["data"], stage.data_sets)
    names = stage.bench.networks(data)
    network = want["network"] if want["network"] in names else names[0]
    same = (network, data) == (wish.network, wish.data)
    value = None
    if want["knob"] is not None and stage.knob is not None:
        value = stage.knob.values[want["knob"]]
    return Choice(
        method=among("method", want["method"], list(stage.bench.methods)),
        network=network,
        data=data,
        where=None if want["where"] == WHOLE or not same else want["where"],
        device=among("device", want["device"], list(hardware.devices())),
        value=value,
    )
