"""Several networks timed in turns, in one table: bytes and multiplications on paper beside the time that they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from labkit import storage
from labkit.latency import forward, in_turns, ratio_of
from labkit.macs import macs
from labkit.table import Cell, Table
from labkit.threads import threads

ROUNDS, BUDGET_S = 15, 5.0  # for each batch size
NOTE = (
    "Multiplications are those on paper, for one picture. Time has its quartiles; × says how many times faster than\n"
    "the first row, with the range of nine in ten rounds. The first row also runs against itself, the control: a\n"
    "ratio inside the control's range is not real, nor is one whose own range holds 1."
)


def timetable(
    title: str,
    networks: Mapping[str, nn.Module],
    image_shape: tuple[int, int, int],
    batches: Sequence[int] = (1, 256),
    rounds: int = ROUNDS,
    note: str = "",
    runs: Mapping[str, nn.Module] | None = None,
) -> Table:
    """Time networks in turns as they would be deployed, for each size of a batch, each against the first.

    The first of `networks` is timed twice, as a control. A row has the bytes of the file, the
    multiplications for one picture, and for each batch the time of one call with its quartiles and how many times
    faster that is. All have one thread: on a busy machine, more can be many times slower. `runs` names networks of
    other kernels that are timed for a row in the place of its own. `note` is added to how the table is read. Raises
    ValueError without a network, for a batch below 1 and for fewer than three rounds.

    >>> from labkit import zoo
    >>> model = zoo.load("LeNet-300-100")
    >>> table = timetable("Twice the same", {"dense": model, "again": model}, (1, 28, 28), batches=(1,), rounds=3)
    >>> [row[0][0] for row in table.rows], table.columns[:3]
    (['dense', 'again'], ['Network', 'File', 'Multiplications'])
    """
    if not networks:
        raise ValueError("there is no network to time: give at least the dense one")
    first, rows, columns = next(iter(networks)), paper(networks, image_shape), ["Network", "File", "Multiplications"]
    timed = {**networks, **(runs or {})}
    for batch in batches:
        works = [forward(timed[name], image_shape, batch, "cpu") for name in networks]
        with threads(1):
            times = in_turns([*works, works[0]], rounds, budget_s=BUDGET_S)
        for row, cells in zip(rows, _cells(times), strict=True):
            row += cells
        of = "1 picture" if batch == 1 else f"{batch:,} pictures"
        columns += [f"{of}: time", f"{of}: against {first}"]
    caption = f"{title} on this processor, one thread, PyTorch {torch.__version__}"
    blocks = [(1, 2), *((2 * index + 3, 2 * index + 4) for index in range(len(batches)))]
    return Table(caption, columns, rows, f"{NOTE}\n{note}".rstrip(), blocks)


def paper(networks: Mapping[str, nn.Module], image_shape: tuple[int, int, int]) -> list[list[Cell]]:
    """Return for each network its name, its bytes and its multiplications, and how many times fewer than the first."""
    counts = {name: macs(network, image_shape) for name, network in networks.items()}
    dense = next(iter(counts.values()))
    return [
        [
            (name, ""),
            (f"{storage.size(network).total:,} bytes", ""),
            (f"{counts[name]:,}", f"× {dense / max(counts[name], 1):.2f} fewer" if counts[name] != dense else ""),
        ]
        for name, network in networks.items()
    ]


def _cells(times: np.ndarray) -> list[list[Cell]]:
    """Return time and ratio of each column of times; the last is the first one again."""
    return [[_time(column), _ratio(times, index)] for index, column in enumerate(times.T[:-1])]


def _time(times: np.ndarray) -> Cell:
    q1, median, q3 = 1e3 * np.percentile(times, [25, 50, 75])
    return f"{median:.3g} ms", f"{q1:.3g} to {q3:.3g}"


def _ratio(times: np.ndarray, index: int) -> Cell:
    first, again = times.T[0], times.T[-1]
    found = ratio_of(first, again, again if index == 0 else times.T[index])
    verdict = ", control" if index == 0 else "" if found.real else ", not real"
    return f"× {found.value:.2f}", f"{found.low:.2f} to {found.high:.2f}{verdict}"
