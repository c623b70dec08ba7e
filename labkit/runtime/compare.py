"""One network four ways: what 8 bits save in a simulation, and what they save where integers are multiplied.

Simulated integers are float32 numbers on a grid: as accurate as real ones, as small in a file, and not
faster, since PyTorch multiplies them as float32. ONNX Runtime multiplies integers. It is also faster
than PyTorch without any compression, so its int8 is compared with its own float32 too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from labkit import storage
from labkit.data import Data
from labkit.latency import Latency, Ratio, forward, in_turns, ratio_of
from labkit.measure import Accuracy, accuracy
from labkit.runtime import session
from labkit.runtime.export import export
from labkit.runtime.int8 import quantize
from labkit.runtime.table import table
from labkit.threads import threads

PYTORCH, SIMULATED = "PyTorch, float32", "PyTorch, int8 simulated"
ONNX, INT8 = "ONNX Runtime, float32", "ONNX Runtime, int8"
SETTLE_S = 0.01  # after so long, the threads of both runtimes sleep
ROUNDS, BUDGET_S = 15, 5.0  # for each batch size
CALIBRATION = 500  # training pictures
TRIALS = 7  # with one thread and with all
Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One way to run the network: its file in bytes, its accuracy, and by batch size its time and ratios.

    A ratio says how many times faster this row is than PyTorch's or ONNX Runtime's float32. That of a
    baseline with itself is the control.
    """

    name: str
    bytes: int
    accuracy: Accuracy
    latency: dict[int, Latency] = field(default_factory=dict)
    against_pytorch: dict[int, Ratio] = field(default_factory=dict)
    against_onnx: dict[int, Ratio] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """The rows of a comparison, and what it was measured with; shows itself as a table."""

    rows: tuple[Row, ...]
    data: str
    split: str
    versions: dict[str, str]

    def row(self, name: str) -> Row:
        """Return a row by its name, or raise ValueError with the names that there are."""
        for row in self.rows:
            if row.name == name:
                return row
        raise ValueError(f"row {name!r} does not exist: choose one of {'; '.join(row.name for row in self.rows)}")

    def __repr__(self) -> str:
        return repr(table(self))

    def _repr_html_(self) -> str:
        return table(self)._repr_html_()


def compare(
    model: nn.Module,
    data: Data,
    split: str = "validation",
    simulated: nn.Module | None = None,
    batches: Sequence[int] = (1, 256),
    rounds: int = ROUNDS,
) -> Comparison:
    """Measure a network in PyTorch and in ONNX Runtime, in float32 and in int8, on the same pictures.

    `simulated` is the network on a grid of 8 bits in PyTorch, where there is one. Bytes are those of
    the lab's own file for PyTorch, and of the ONNX files; a time is that of one forward pass of a whole
    batch. All networks are timed in turns, and each baseline runs twice as a control. Both runtimes
    have as many threads as PyTorch is fastest with, all or one, for each size of a batch.
    Steps of the activations come from training pictures. No file is left.
    Raises ValueError for what cannot be exported, a batch below 1, or fewer than three rounds.

    >>> from labkit import data, zoo
    >>> found = compare(zoo.load("LeNet-300-100"), data.load(), batches=(1,), rounds=3)
    >>> [row.name for row in found.rows]
    ['PyTorch, float32', 'ONNX Runtime, float32', 'ONNX Runtime, int8']
    """
    if rounds < 3 or min(batches, default=1) < 1:
        raise ValueError(f"batches are {tuple(batches)} and rounds {rounds}, but must be at least 1, and 3")
    nets = {PYTORCH: model} | ({} if simulated is None else {SIMULATED: simulated})
    rows = {name: (storage.size(net).total, accuracy(net, data, split)) for name, net in nets.items()}
    times = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {ONNX: Path(folder) / "float32.onnx", INT8: Path(folder) / "int8.onnx"}
        export(model, data.image_shape, files[ONNX])
        quantize(files[ONNX], files[INT8], data, min(CALIBRATION, len(data.train)))
        for name, file in files.items():
            rows[name] = file.stat().st_size, session.accuracy(session.Session(file), data, split)
        for batch in batches:
            works = {name: forward(net, data.image_shape, batch, "cpu") for name, net in nets.items()}
            with threads(_fastest(works[PYTORCH])):
                works |= {name: session.Session(file).work(batch) for name, file in files.items()}
                times[batch] = _timed(works, batch, rounds)
    versions = {"PyTorch": torch.__version__, "ONNX Runtime": onnxruntime.__version__}
    parts = {name: [{batch: times[batch][name][part] for batch in batches} for part in range(3)] for name in rows}
    return Comparison(tuple(Row(name, *rows[name], *parts[name]) for name in rows), data.name, split, versions)


def _fastest(work: Work) -> int:
    """Return how many threads PyTorch does this fastest with now, one or all: see `labkit.threads`."""
    counts = sorted({1, torch.get_num_threads()})
    works = [threads(count)(work) for count in counts]
    seconds = np.median(in_turns(works, TRIALS, settle_s=SETTLE_S, budget_s=1.0), axis=0)
    return counts[int(seconds.argmin())]


def _timed(works: dict[str, Work], batch: int, rounds: int) -> dict[str, tuple[Latency, Ratio, Ratio]]:
    """Time all in turns, both baselines twice: for each its time, and its ratio to either baseline."""
    names = [*works, PYTORCH, ONNX]
    times = in_turns([works[name] for name in names], rounds, settle_s=SETTLE_S, budget_s=BUDGET_S)
    columns = dict(zip(works, times.T[: len(works)], strict=True))
    again = dict(zip((PYTORCH, ONNX), times.T[len(works) :], strict=True))
    return {
        name: (_latency(column, batch), *(_ratio(columns, again, base, name) for base in (PYTORCH, ONNX)))
        for name, column in columns.items()
    }


def _latency(times: np.ndarray, batch: int) -> Latency:
    q1, median, q3 = np.percentile(times, [25, 50, 75]).tolist()
    return Latency(median, q1, q3, batch, len(times), torch.get_num_threads(), "cpu")


def _ratio(columns: dict[str, np.ndarray], again: dict[str, np.ndarray], base: str, name: str) -> Ratio:
    """Compare with a baseline; a baseline with itself is compared by its second run."""
    return ratio_of(columns[base], again[base], again[base] if name == base else columns[name])
