"""The table says what was measured, each network against the first, and what is not real; no time is asserted."""

import numpy as np
import pytest
import torch
from torch import nn

from labkit import adopt, latency, size, timetable
from labkit.macs import macs


def small(filters: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return adopt(nn.Sequential(nn.Conv2d(1, filters, 5, stride=4), nn.Flatten(), nn.Linear(36 * filters, 10))).eval()


@pytest.fixture
def turns(monkeypatch):
    """Times that are known: the second as fast as the first but for noise, the third twice, the fourth four times."""
    asked = []

    def in_turns(works, rounds, **options):
        asked.append((len(works), rounds, torch.get_num_threads()))
        noise = np.linspace(0.9, 1.1, rounds)
        seconds = np.tile([8e-3, 8e-3, 4e-3, 2e-3, 8e-3], (rounds, 1))
        seconds[:, 1] *= noise
        seconds[:, -1] *= noise[::-1]
        return seconds

    monkeypatch.setattr(timetable, "in_turns", in_turns)
    return asked


def test_a_row_for_each_network_against_the_first(turns):
    networks = {"whole": small(4), "same": small(4), "half": small(2), "quarter": small(1)}
    table = timetable.timetable("Some", networks, (1, 28, 28), batches=(1, 7), rounds=9, note="A word more.")
    assert turns == [(5, 9, 1)] * 2
    for row, (name, network) in zip(table.rows, networks.items(), strict=True):
        assert row[0] == (name, "") and row[1][0] == f"{size(network).total:,} bytes"
        assert row[2][0] == f"{macs(network, (1, 28, 28)):,}"
        assert len(row) == len(table.columns) == 7
    assert [row[2][1] for row in table.rows] == ["", "", "× 2.00 fewer", "× 4.00 fewer"]
    assert [row[4][0] for row in table.rows] == ["× 1.00", "× 1.00", "× 2.00", "× 4.00"]
    assert [row[4][1].partition(", ")[2] for row in table.rows] == ["control", "not real", "", ""]
    assert table.rows[2][3][0] == "4 ms" and table.columns[5:] == ["7 pictures: time", "7 pictures: against whole"]
    assert "quarter" in repr(table) and "A word more." in repr(table) and "not real" in table._repr_html_()


def test_another_kernel_is_timed_in_the_place_of_a_rows_own(monkeypatch):
    timed = []

    def forward(network, *options):
        timed.append(network)
        return latency.forward(network, *options)

    monkeypatch.setattr(timetable, "forward", forward)
    one, two, other = small(), small(2), small(3)
    table = timetable.timetable("", {"a": one, "b": two}, (1, 28, 28), (2,), rounds=3, runs={"b": other})
    assert timed == [one, other]
    assert table.rows[1][1][0] == f"{size(two).total:,} bytes"
    assert table.rows[0][4][1].endswith("control") and len(table.rows) == 2


def test_mistakes_are_named():
    for options, message in [
        (dict(batches=(0,)), "batch is 0, but must be at least 1"),
        (dict(rounds=2), "rounds is 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            timetable.timetable("", {"dense": small()}, (1, 28, 28), **options)
    with pytest.raises(ValueError, match="give at least the dense one"):
        timetable.timetable("", {}, (1, 28, 28))
