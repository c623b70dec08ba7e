"""Compressed rows compute the same as the dense matrix, and the table says what was measured; no time is asserted."""

import copy
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from labkit import adopt, latency, layers, size
from labkit.lowrank import SVD
from labkit.macs import macs
from labkit.pruning import Magnitude, speed
from labkit.pruning.speed import CompressedRows, compressed_rows
from labkit.weights import Dense
from tests.networks import pictures, shaken


def small(filters: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return adopt(
        nn.Sequential(
            nn.Conv2d(1, filters, 5, stride=4), nn.BatchNorm2d(filters), nn.ReLU(), nn.Flatten(),
            nn.Linear(36 * filters, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 10),
        )
    ).eval()  # fmt: skip


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 40), st.integers(1, 5), st.booleans(), st.booleans())
@settings(max_examples=50, deadline=None)
def test_compressed_rows_multiply_like_the_dense_matrix(seed, out, inputs, count, with_bias, deep):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(out, inputs, generator=generator)
    matrix *= torch.rand(out, inputs, generator=generator) < torch.rand(1, generator=generator)  # some rows are empty
    x = torch.randn(*((count, 3) if deep else (count,)), inputs, generator=generator)
    bias = torch.randn(out, generator=generator) if with_bias else None
    rows, dense = CompressedRows(matrix), Dense(matrix)
    assert rows.rows.layout == torch.sparse_csr and rows.rows.values().numel() == int((matrix != 0).sum())
    torch.testing.assert_close(rows.linear(x, bias), dense.linear(x, bias), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(rows(), matrix)


@pytest.mark.parametrize(
    "compress", [lambda net: Magnitude().prepare(net).at(0.9), lambda net: SVD().prepare(net).at(2)]
)
def test_a_network_in_compressed_rows_computes_the_same(compress):
    network = compress(shaken(small()))
    found = compressed_rows(network)
    kinds = {type(layer.weight) for layer in layers.layers(found).values() if isinstance(layer, layers.Linear)}
    assert kinds == {CompressedRows}
    x = pictures()
    with torch.inference_mode():
        torch.testing.assert_close(found(x), network(x), rtol=1e-4, atol=1e-4)


def test_what_is_timed_multiplies_in_compressed_rows(monkeypatch):
    used = []
    linear = CompressedRows.linear
    monkeypatch.setattr(CompressedRows, "linear", lambda self, *rest: used.append(self.shape) or linear(self, *rest))
    work = latency.forward(compressed_rows(Magnitude().prepare(small()).at(0.9)), (1, 28, 28), 2, "cpu")
    work()
    assert used == [(20, 144), (10, 20)]


def test_nothing_is_warned_about_and_other_warnings_pass():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = copy.deepcopy(CompressedRows(torch.eye(3)))
        rows.linear(torch.ones(1, 3))
        with pytest.raises(UserWarning, match="beta state of something else"):
            warnings.warn("beta state of something else", UserWarning, stacklevel=1)


def test_the_table_has_a_row_for_each_network_and_the_control(monkeypatch):
    turns = []

    def in_turns(works, rounds, **options):  # zeros are as fast as dense, CSR twice, thinner four times; the control
        turns.append((len(works), rounds, torch.get_num_threads()))
        noise = np.linspace(0.9, 1.1, rounds)
        seconds = np.tile([8e-3, 8e-3, 4e-3, 2e-3, 8e-3], (rounds, 1))
        seconds[:, 1] *= noise
        seconds[:, -1] *= noise[::-1]
        return seconds

    monkeypatch.setattr(speed, "in_turns", in_turns)
    dense, thinner = small(), small(2)
    pruned = Magnitude().prepare(dense).at(0.8)
    table = speed.speed(dense, pruned, thinner, (1, 28, 28), batches=(1, 7), rounds=9)
    assert turns == [(5, 9, 1)] * 2
    assert [row[0][0] for row in table.rows] == ["dense", "zeros in dense kernels", "zeros left out (CSR)", "thinner"]
    for row, network in zip(table.rows, (dense, pruned, pruned, thinner), strict=True):
        assert row[1][0] == f"{size(network).total:,} bytes"
        assert row[2][0] == f"{macs(network, (1, 28, 28)):,}"
        assert len(row) == len(table.columns) == 7
    assert [row[4][0] for row in table.rows] == ["× 1.00", "× 1.00", "× 2.00", "× 4.00"]
    assert [row[4][1].partition(", ")[2] for row in table.rows] == ["control", "not real", "", ""]
    assert table.rows[2][3][0] == "4 ms" and "7 pictures: time" in table.columns
    assert "thinner" in repr(table) and "not real" in table._repr_html_()


def test_without_a_thinner_network_it_really_runs():
    dense = small()
    table = speed.speed(dense, Magnitude().prepare(dense).at(0.8), None, (1, 28, 28), batches=(2,), rounds=3)
    assert len(table.rows) == 3 and table.rows[0][4][1].endswith("control")
    assert torch.equal(dense[0].weight(), small()[0].weight())


def test_mistakes_are_named():
    dense = small()
    with pytest.raises(ValueError, match="batch is 0, but must be at least 1"):
        speed.speed(dense, dense, None, (1, 28, 28), batches=(0,))
    with pytest.raises(ValueError, match="rounds is 2"):
        speed.speed(dense, dense, None, (1, 28, 28), rounds=2)
    with pytest.raises(ValueError, match="compressed rows need a matrix"):
        CompressedRows(torch.ones(3))
