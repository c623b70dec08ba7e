"""What exercises ask for: a method with a value of its knob, and a network that can be saved and loaded again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence

from torch import nn

from labkit import storage
from labkit.course.checks import NotYet
from labkit.methods import Knob, Method


def saved(small: object, asked: str = "compress(model)") -> tuple[int, nn.Module]:
    """Return the bytes of a learner's network on disk, and the network loaded again; raise NotYet for anything else."""
    if not isinstance(small, nn.Module):
        raise NotYet(f"{asked} gave {type(small).__name__}, but should give a network: is a `return` missing?")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "small.safetensors")
        storage.save(small, path)
        return os.path.getsize(path), storage.load(path)


def chosen(
    answer: object, allowed: Sequence[type[Method]], knob: Callable[[Method], Knob], asked: str
) -> tuple[Method, float]:
    """Return a method of this section and a value of its knob; raise NotYet for anything else."""
    if not isinstance(answer, tuple) or len(answer) != 2 or type(answer[0]) not in allowed:
        raise NotYet(f"{asked} should return a method of this section and a value of its knob, not {answer!r}.")
    method, value = answer
    try:
        return method, knob(method).check(value)
    except ValueError as error:
        raise NotYet(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
