"""Timing in turns, and results on disk: what the benchmarks share."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch

from labkit.files import write

RESULTS = Path(__file__).parent / "results"
Clock = Callable[[], float]


def in_turns(
    works: dict[str, Callable[[], object]], rounds: int, clock: Clock = time.perf_counter
) -> dict[str, list[float]]:
    """Time all pieces of work in turns, after one run each, and return the seconds of every round."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begin = clock()
            work()
            times[name].append(clock() - begin)
    return times


def machine() -> dict:
    """Say what the numbers were measured on, and how busy it was before."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": platform.machine(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "load": load,
        "torch": torch.__version__,
    }


def record(name: str, found: dict) -> Path:
    """Write results whole or not at all to benchmarks/results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{name}.json"
    write(target, json.dumps(found, indent=1).encode() + b"\n")
    return target
