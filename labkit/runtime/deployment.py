"""Compressed networks where they would run: which promised speed-ups are real on this machine, in four runtimes.

Each runtime is compared with itself: the compressed network with the dense one in the same runtime, in turns, the
dense one twice as a control. The dense baseline is the best that there is: batch normalisation folded, channels last.
A runtime is done before the next begins, so that no threads of one disturb the other.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from labkit import storage
from labkit.data import Data
from labkit.deploy import deployed
from labkit.latency import Ratio, in_turns, ratio_of, running
from labkit.macs import macs
from labkit.runtime import session
from labkit.runtime.export import export
from labkit.runtime.int8 import quantize
from labkit.runtime.quiet import quiet
from labkit.table import Cell, Table
from labkit.threads import threads

EAGER, COMPILED = "PyTorch", "torch.compile"
ONNX, INT8 = "ONNX Runtime", "ONNX Runtime, int8"
RUNTIMES = (EAGER, COMPILED, ONNX, INT8)
SETTLE_S, ROUNDS, BUDGET_S = 0.01, 15, 4.0
RECOMPILE = 512  # PyTorch gives up after 8 networks that share one forward, and silently runs the rest uncompiled
Work = Callable[[], object]


@dataclass(frozen=True)
class Run:
    """One network in one runtime: bytes of its file, and by batch its seconds and how often the dense one's speed."""

    network: str
    runtime: str
    bytes: int
    seconds: dict[int, float] = field(default_factory=dict)
    faster: dict[int, Ratio] = field(default_factory=dict)


def deployment(
    networks: Mapping[str, nn.Module],
    data: Data,
    batches: Sequence[int] = (1, 256),
    rounds: int = ROUNDS,
    runtimes: Sequence[str] = RUNTIMES,
) -> Iterator[Run]:
    """Yield what each network does in each runtime; the first network is the dense one that others are compared with.

    All run on one thread. Without a C++ compiler, torch.compile is left out. Raises ValueError without a network, for
    a runtime that does not exist, a batch below 1 or fewer than three rounds, and for what cannot be exported.

    >>> from labkit import data, zoo
    >>> *_, last = deployment({"dense": zoo.load("LeNet-300-100")}, data.load(), (1,), 3, runtimes=(EAGER,))
    >>> last.network, last.runtime, last.bytes > 4 * 266_610
    ('dense', 'PyTorch', True)
    """
    for name in runtimes:
        if name not in RUNTIMES:
            raise ValueError(f"runtime {name!r} does not exist: choose among {', '.join(RUNTIMES)}")
    if not networks or rounds < 3 or min(batches, default=1) < 1:
        raise ValueError("give at least one network, batches of at least 1 and at least 3 rounds")
    with threads(1), tempfile.TemporaryDirectory() as folder:
        for runtime in runtimes:
            if runtime == COMPILED and not compiles():
                continue
            works, sizes = _works(runtime, networks, data, batches, Path(folder))
            yield from _timed(runtime, works, sizes, batches, rounds)


def compiles() -> bool:
    """Say whether torch.compile can work here: it needs a C++ compiler."""
    return any(shutil.which(name) for name in ("g++", "c++", "clang++"))


def _works(
    runtime: str, networks: Mapping[str, nn.Module], data: Data, batches: Sequence[int], folder: Path
) -> tuple[dict[str, dict[int, Work]], dict[str, int]]:
    """Return what runs each network at each batch, and the bytes of its file."""
    works, sizes = {}, {}
    for index, (name, net) in enumerate(networks.items()):
        if runtime in (EAGER, COMPILED):
            ready = deployed(net) if runtime == EAGER else _compiled(deployed(net))
            works[name] = {batch: running(ready, data.image_shape, batch, "cpu") for batch in batches}
            sizes[name] = storage.size(net).total
            continue
        file, small = folder / f"{index}.onnx", folder / f"{index}-int8.onnx"
        sizes[name] = file.stat().st_size if file.exists() else export(net, data.image_shape, file)
        if runtime == INT8:
            sizes[name] = quantize(file, small, data, min(500, len(data.train)))
        opened = session.Session(small if runtime == INT8 else file, threads=1)
        works[name] = {batch: opened.work(batch) for batch in batches}
    return works, sizes


def _compiled(net: nn.Module) -> nn.Module:
    torch._dynamo.config.recompile_limit = RECOMPILE
    return torch.compile(net, options={"freezing": True})


def _timed(
    runtime: str, works: dict[str, dict[int, Work]], sizes: dict[str, int], batches: Sequence[int], rounds: int
) -> Iterator[Run]:
    found = {name: Run(name, runtime, sizes[name]) for name in works}
    first = next(iter(works))
    for batch in batches:
        turns = [work[batch] for work in works.values()]
        with quiet():
            taken = in_turns([*turns, turns[0]], rounds, settle_s=SETTLE_S, budget_s=BUDGET_S)
        for index, name in enumerate(works):
            other = taken[:, -1] if name == first else taken[:, index]
            found[name].seconds[batch] = float(np.median(taken[:, index]))
            found[name].faster[batch] = ratio_of(taken[:, 0], taken[:, -1], other)
    yield from found.values()


def promises(networks: Mapping[str, nn.Module], data: Data, runs: Sequence[Run]) -> Table:
    """Set what each network promises, dense multiplications over its own, beside what each runtime makes of it."""
    first = next(iter(networks))
    counts = {name: macs(net, data.image_shape) for name, net in networks.items()}
    dense = {run.runtime: run for run in runs if run.network == first}
    rows: list[list[Cell]] = []
    for run in runs:
        smaller = dense[run.runtime].bytes / run.bytes
        promise = counts[first] / max(counts[run.network], 1)
        cells: list[Cell] = [(f"{run.runtime}: {run.network}", ""), (f"{run.bytes:,} bytes", f"{smaller:.2f}×")]
        cells.append((f"× {promise:.2f}", ""))
        for batch, seconds in run.seconds.items():
            cells.append((f"{1e3 * seconds:.3g} ms", ""))
            cells.append(_ratio(run.faster[batch], run.network == first))
        rows.append(cells)
    columns = ["runtime and network", "file", "promised"]
    for batch in next(iter(runs)).seconds if runs else ():
        of = "1 picture" if batch == 1 else f"{batch:,} pictures"
        columns += [f"{of}: time", f"{of}: really"]
    note = (
        "Promised: how many times fewer multiplications than the dense network. Really: how many times faster than the "
        "dense network in the same runtime, with the range of nine in ten rounds; the dense row is the control. What "
        "lies inside the control's range is not real. All on one thread; the dense network has its batch "
        "normalisation folded and its channels last. PyTorch's file is the lab's own, with few bits and no zeros; "
        "ONNX files hold dense numbers."
    )
    if COMPILED not in dense and not compiles():
        note += " torch.compile needs a C++ compiler, and this machine has none: install g++ to see its rows."
    versions = f"PyTorch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}"
    return Table(f"What was promised and what is real; {data.name}, {versions}", columns, rows, note)


def _ratio(found: Ratio, control: bool) -> Cell:
    verdict = ", control" if control else "" if found.real else ", not real"
    return f"× {found.value:.2f}{verdict}", f"{found.low:.2f} to {found.high:.2f}"
