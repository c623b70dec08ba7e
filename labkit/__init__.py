"""The Compression Lab's package: every method of the survey, and the lab to play with them.

Three verbs do it all: a method's curve compresses (`curve.at(16)`), `measure` measures, `explore`
opens the live panel; `frontier` shows all that was ever run. What is slow to import is imported when it is first used.
"""

from __future__ import annotations

import importlib

from labkit import hardware
from labkit.layers import adopt
from labkit.measure import measure  # now, since a later import of the module would put itself over the verb

_HOMES = {"save": "storage", "load": "storage", "size": "storage", "explore": "live", "frontier": "live.frontier"}

__all__ = ["adopt", "measure", *_HOMES]

hardware.follow_cpu_limit()


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"labkit has no {name!r}: it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"labkit.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
