"""Compressed rows compute the same as the dense matrix, and the table says what was measured; no time is asserted."""

import copy
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from labkit import adopt, latency, layers
from labkit.lowrank import SVD
from labkit.pruning import Magnitude, speed
from labkit.pruning.speed import CompressedRows, compressed_rows
from labkit.weights import Dense
from tests.networks import pictures, shaken

NAMES = ("networks", "image_shape", "batches", "rounds", "note", "runs")


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


def test_the_table_has_a_row_for_each_network_and_times_the_zeros_left_out_in_compressed_rows(monkeypatch):
    asked = {}
    monkeypatch.setattr(speed, "timetable", lambda title, *given: asked.update(zip(NAMES, given, strict=True)))
    dense, thinner = small(), small(2)
    pruned = Magnitude().prepare(dense).at(0.8)
    speed.speed(dense, pruned, thinner, (1, 28, 28), batches=(1, 7), rounds=9)
    assert list(asked["networks"].items()) == [
        ("dense", dense), ("zeros in dense kernels", pruned), ("zeros left out (CSR)", pruned), ("thinner", thinner)
    ]  # fmt: skip
    assert (asked["image_shape"], asked["batches"], asked["rounds"]) == ((1, 28, 28), (1, 7), 9)
    assert list(asked["runs"]) == ["zeros left out (CSR)"]
    assert isinstance(layers.layers(asked["runs"]["zeros left out (CSR)"])["4"].weight, CompressedRows)


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
