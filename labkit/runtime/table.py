"""A comparison of runtimes as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.latency import Latency, Ratio
from labkit.measure import Accuracy
from labkit.table import Cell, Table

if TYPE_CHECKING:
    from labkit.runtime.compare import Comparison

NOTE = (
    "Accuracy has its 95 % interval, time its quartiles. × says how many times faster, with the range of nine in ten\n"
    "rounds. Each baseline also runs against itself, the control: a ratio inside the control's range is not real, nor\n"
    "is one whose own range holds 1."
)


def headers(batches: list[int]) -> list[str]:
    """Return the titles of the columns, the first of which names the rows."""
    first = ["Runtime and numbers", "File", "Accuracy"]
    for batch in batches:
        of = "1 picture" if batch == 1 else f"{batch:,} pictures"
        first += [f"{of}: time", f"{of}: against PyTorch", f"{of}: against ONNX Runtime"]
    return first


def cells(found: Comparison) -> list[list[Cell]]:
    """Return the table, row by row."""
    return [
        [
            (row.name, ""),
            (f"{row.bytes:,} bytes", ""),
            _accuracy(row.accuracy),
            *(
                cell
                for batch, time in row.latency.items()
                for cell in (_time(time), _ratio(row.against_pytorch[batch]), _ratio(row.against_onnx[batch]))
            ),
        ]
        for row in found.rows
    ]


def _accuracy(found: Accuracy) -> Cell:
    return f"{100 * found.value:.2f} %", f"{100 * found.low:.2f} to {100 * found.high:.2f}"


def _time(found: Latency) -> Cell:
    return f"{1e3 * found.median:.3g} ms", f"{1e3 * found.q1:.3g} to {1e3 * found.q3:.3g}"


def _ratio(found: Ratio) -> Cell:
    control = (found.value, found.low, found.high) == (found.control, found.control_low, found.control_high)
    verdict = ", control" if control else "" if found.real else ", not real"
    return f"× {found.value:.2f}", f"{found.low:.2f} to {found.high:.2f}{verdict}"


def table(found: Comparison) -> Table:
    """Return a comparison as a table; its text has size and accuracy first, then a block for each batch size."""
    batches = list(found.rows[0].latency)
    blocks = [(1, 2), *(range(3 * index + 3, 3 * index + 6) for index in range(len(batches)))]
    return Table(caption(found), headers(batches), cells(found), NOTE, blocks)


def caption(found: Comparison) -> str:
    """Say what was measured and on what."""
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    times = found.rows[0].latency
    counts = ", ".join(f"{time.threads} for a batch of {batch:,}" for batch, time in times.items())
    return f"{found.data}, {found.split} pictures; {versions}; threads in both: {counts}"
