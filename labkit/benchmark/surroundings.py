"""What a number was measured with and on."""

from __future__ import annotations

import functools
import platform
from importlib import metadata
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of labkit, torch and Python.

    >>> sorted(versions())
    ['labkit', 'python', 'torch']
    """
    try:
        own = metadata.version("labkit")
    except metadata.PackageNotFoundError:  # run from its folder, without being installed
        own = "unknown"
    return {"labkit": own, "torch": torch.__version__, "python": platform.python_version()}


def machine() -> dict:
    """Return the processor's name and how many threads PyTorch uses.

    >>> sorted(machine())
    ['processor', 'threads']
    """
    return {"processor": processor(), "threads": torch.get_num_threads()}


@functools.cache
def processor(cpuinfo: Path = CPUINFO) -> str:
    """Return the name of the processor, from where Linux states it or from Python."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] not in ("", "unknown") else platform.processor() or platform.machine()
