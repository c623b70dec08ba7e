"""What the choices and the knob look like, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from labkit import hardware, layers
from labkit.live.result import WHOLE, Result

if TYPE_CHECKING:
    from labkit.live.stage import Stage


def view(stage: Stage) -> dict[str, dict | list]:
    """Return three parts: the options of each choice, the knob, and what the buttons can do.

    The knob's place is a part of its own, since it is all that changes while a finger moves.
    """
    bench, result, knob = stage.bench, stage.result, stage.knob
    choice = result.choice
    devices = hardware.devices()
    return {
        "choices": [
            options("method", list(bench.methods), choice.method),
            options("network", bench.networks(choice.data), choice.network),
            options("data", stage.data_sets, choice.data),
            options("where", [WHOLE, *layers.layers(result.base.model)], choice.where or WHOLE),
            options("device", list(devices), choice.device, list(devices.values())),
        ],
        "knob": {"label": knob.label, "name": knob.name, "shown": [knob.show(value) for value in knob.values]},
        "place": {"index": knob.values.index(choice.value), "seq": stage.seq},
        "buttons": {"undo": len(stage.history) > (stage.history[-1:] == [result]), "training": stage.training},
    }


def options(name: str, values: list[str], value: str, shown: list[str] | None = None) -> dict:
    """Describe one choice."""
    return {"name": name, "values": values, "value": value, "shown": shown or values}


def place(result: Result) -> str:
    """Say where it was computed."""
    if result.choice.device != "cpu":
        return hardware.devices()[result.choice.device]
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'' if threads == 1 else 's'}"
