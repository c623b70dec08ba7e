"""The cut is the best of its rank (Eckart and Young), and its numbers pay below the break-even rank."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from labkit import adopt
from labkit.lowrank import SVD
from labkit.lowrank.svd import break_even
from labkit.weights import Dense


@given(st.integers(1, 40), st.integers(1, 40))
def test_break_even_is_the_last_rank_that_stores_fewer_numbers(rows, columns):
    rank = break_even(rows, columns)
    assert rank * (rows + columns) < rows * columns <= (rank + 1) * (rows + columns)


@given(st.integers(3, 12), st.integers(3, 12), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_the_error_is_the_energy_cut_off(rows, columns, seed):
    torch.manual_seed(seed)
    network = adopt(nn.Sequential(nn.Linear(columns, rows)))
    curve = SVD().prepare(network)
    matrix = network[0].weight().detach().numpy()
    singular = np.linalg.svd(matrix, compute_uv=False)
    for rank in curve.knob.values:
        weight = curve.at(rank)[0].weight().detach().numpy()
        left = singular[rank:] if rank <= break_even(rows, columns) else []
        assert np.sum((weight - matrix) ** 2) == pytest.approx(np.sum(np.square(left)), rel=1e-3, abs=1e-8)


def test_a_convolution_is_cut_as_a_matrix_and_runs_as_two_thin_convolutions():
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 12, 3, stride=2, padding=1)
    compressed = SVD().prepare(adopt(nn.Sequential(layer))).at(4)
    u, s, v = np.linalg.svd(layer.weight.detach().reshape(12, -1).numpy(), full_matrices=False)
    expected = torch.from_numpy((u[:, :4] * s[:4]) @ v[:4]).view(12, 8, 3, 3)
    x = torch.randn(2, 8, 9, 9)
    assert torch.allclose(compressed(x), nn.functional.conv2d(x, expected, layer.bias, stride=2, padding=1), atol=1e-5)


def test_layers_in_which_the_rank_does_not_pay_stay_as_they_are():
    network = adopt(nn.Sequential(nn.Linear(100, 80), nn.ReLU(), nn.Linear(80, 4)))
    compressed = SVD().prepare(network).at(16)
    assert not isinstance(compressed[0].weight, Dense) and isinstance(compressed[2].weight, Dense)
    assert "left alone" in SVD().prepare(network).picture(16, "2").title


def test_a_layer_too_thin_for_any_rank_is_left_alone():
    network = adopt(nn.Sequential(nn.Linear(5, 1)))
    curve = SVD().prepare(network)
    assert curve.knob.values == (1,) and torch.equal(curve.at(1)[0].weight(), network[0].weight())
