"""What a sweep may name: a section's METHODS and their RIVALS, and a few losses; nothing else is imported."""

from __future__ import annotations

import importlib
import importlib.util
import json

from labkit import train
from labkit.methods import Method

SECTIONS = ("quantization", "pruning", "structured", "lowrank", "filters", "distillation", "dynamic")
LOSSES = ("cross_entropy", "square_hinge")


def sections() -> tuple[str, ...]:
    """List the sections of the survey that the lab has."""
    return tuple(name for name in SECTIONS if importlib.util.find_spec(f"labkit.{name}"))


def methods(section: str) -> dict[str, type[Method]]:
    """Map the full names of a section's methods to their classes, those that are only compared with others last.

    >>> "quantization.KMeans" in methods("quantization")
    True
    """
    if section not in sections():
        raise ValueError(f"section {section!r} does not exist: choose one of {', '.join(sections())}")
    module = importlib.import_module(f"labkit.{section}")
    listed = (*module.METHODS, *getattr(module, "RIVALS", ()))
    return {f"{section}.{method.__name__}": method for method in listed}


def method(name: str) -> type[Method]:
    """Return the class of a method by its section and name; raise ValueError where there is none.

    >>> method("pruning.Magnitude").__name__
    'Magnitude'
    """
    section = name.partition(".")[0]
    if section not in sections():
        raise ValueError(
            f"method {name!r} is unknown: write SECTION.CLASS, in which the section is one of {', '.join(sections())}"
        )
    known = methods(section)
    if name not in known:
        raise ValueError(f"method {name!r} is unknown: {section} has {', '.join(known)}")
    return known[name]


def make(name: str, arguments: dict) -> Method:
    """Return a method with its arguments; raise ValueError for what its class does not take."""
    kind = method(name)
    try:
        json.dumps(arguments, allow_nan=False)  # or else they could not be written beside the result
        return kind(**arguments)
    except TypeError as error:
        raise ValueError(f"{name} does not take {arguments}: {error}") from error


def loss(name: str) -> train.Loss:
    """Return a loss by its name; raise ValueError where there is none.

    >>> loss("cross_entropy") is train.cross_entropy
    True
    """
    if name not in LOSSES:
        raise ValueError(f"loss is {name!r}, but must be one of {', '.join(LOSSES)}")
    return getattr(train, name)
