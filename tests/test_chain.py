"""A chain of thin convolutions computes what its dense weight does, and takes the multiplications that it says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from labkit.deploy import deployed
from labkit.layers import Conv2d
from labkit.macs import macs
from labkit.weights import CP, LowRank, Separable, Tucker2

OUT, INSIDE, HEIGHT, WIDTH, RANK = 6, 4, 3, 5, 2


def chains():
    """One Weight (OUT, INSIDE, HEIGHT, WIDTH) of every kind that is a chain."""
    return {
        "LowRank": LowRank(
            torch.randn(OUT, RANK), torch.randn(RANK, INSIDE * HEIGHT * WIDTH), (OUT, INSIDE, HEIGHT, WIDTH)
        ),
        "Separable": Separable(torch.randn(OUT, RANK, WIDTH), torch.randn(RANK, INSIDE, HEIGHT)),
        "CP": CP(torch.randn(OUT, 3), torch.randn(3, INSIDE), torch.randn(3, HEIGHT), torch.randn(3, WIDTH)),
        "Tucker2": Tucker2(torch.randn(OUT, 3), torch.randn(3, RANK, HEIGHT, WIDTH), torch.randn(RANK, INSIDE)),
    }


@pytest.fixture(params=chains(), scope="module")
def weight(request):
    torch.manual_seed(0)
    return chains()[request.param]


moves = st.fixed_dictionaries(
    {
        "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "padding": st.tuples(st.integers(0, 2), st.integers(0, 2)),
        "dilation": st.tuples(st.integers(1, 2), st.integers(1, 2)),
        "padding_mode": st.sampled_from(["zeros", "reflect", "circular"]),
    }
)


@given(moves, st.booleans())
@settings(max_examples=25, deadline=None)
def test_thin_layers_compute_what_the_dense_one_does(weight, moves, has_bias):
    bias = torch.randn(OUT) if has_bias else None
    dense = nn.Conv2d(INSIDE, OUT, (HEIGHT, WIDTH), bias=has_bias, **moves)
    dense.weight.data = weight().detach()
    if has_bias:
        dense.bias.data = bias
    network = nn.Sequential(Conv2d(weight, bias, **moves), nn.Identity())
    x = torch.randn(2, INSIDE, 11, 13)
    expected = dense(x)
    assert torch.allclose(network(x), expected, atol=1e-3)
    thin = deployed(network)
    assert torch.allclose(thin(x), expected, atol=1e-3)
    # counted a second time, layer by layer, by torch's own convolutions
    assert macs(network, x.shape[1:]) == macs(thin, x.shape[1:]) or moves["padding_mode"] != "zeros"


def test_a_batch_normalisation_behind_a_chain_is_folded_into_its_last_layer(weight):
    norm = nn.BatchNorm2d(OUT)
    norm.running_mean, norm.running_var = torch.randn(OUT), torch.rand(OUT) + 0.5
    network = nn.Sequential(Conv2d(weight, torch.randn(OUT), padding=1), norm).eval()
    thin, x = deployed(network), torch.randn(2, INSIDE, 9, 9)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in thin.modules())
    assert torch.allclose(thin(x), network(x), atol=1e-3)


def test_groups_and_paddings_by_name_are_computed_with_the_dense_weight(weight):
    x = torch.randn(2, 2 * INSIDE, 9, 9)
    for module in (
        Conv2d(weight, groups=2),
        Conv2d(weight, padding="valid"),
    ):
        seen = x if module.groups == 2 else x[:, :INSIDE]
        assert torch.allclose(
            module(seen), F.conv2d(seen, weight(), padding=module.padding, groups=module.groups), atol=1e-4
        )


def test_rows_and_columns_can_be_selected(weight):
    some = torch.tensor([3, 0])
    assert torch.allclose(weight.select(some, 0)(), weight()[some], atol=1e-6)
    assert torch.allclose(weight.select(some, 1)(), weight()[:, some], atol=1e-6)
