"""What exercises ask of a network: that it can be saved, and that what is loaded again is measured."""

from __future__ import annotations

import os
import tempfile

from torch import nn

from labkit import storage
from labkit.course.checks import NotYet


def saved(small: object, asked: str = "compress(model)") -> tuple[int, nn.Module]:
    """Return the bytes of a learner's network on disk, and the network loaded again; raise NotYet for anything else."""
    if not isinstance(small, nn.Module):
        raise NotYet(f"{asked} gave {type(small).__name__}, but should give a network: is a `return` missing?")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "small.safetensors")
        storage.save(small, path)
        return os.path.getsize(path), storage.load(path)
