"""Pruning keeps exactly the largest weights, by one threshold or by one for each layer."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from labkit import adopt
from labkit.pruning import Magnitude
from labkit.pruning.ranked import SPARSITIES


def make(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 10))


@given(st.integers(0, 50), st.sampled_from(SPARSITIES))
@settings(max_examples=60, deadline=None)
def test_each_layer_agrees_with_pytorchs_own_pruning(seed, sparsity):
    network = make(seed)
    compressed = Magnitude("layer").prepare(adopt(network)).at(sparsity)
    for index in (0, 2):
        prune.l1_unstructured(network[index], "weight", amount=sparsity)
        assert torch.equal(compressed[index].weight(), network[index].weight)


@given(st.integers(0, 50), st.sampled_from(SPARSITIES))
@settings(max_examples=60, deadline=None)
def test_one_threshold_agrees_with_pytorchs_own_pruning(seed, sparsity):
    network = make(seed)
    compressed = Magnitude().prepare(adopt(network)).at(sparsity)
    chosen = [(network[0], "weight"), (network[2], "weight")]
    prune.global_unstructured(chosen, pruning_method=prune.L1Unstructured, amount=sparsity)
    for index in (0, 2):
        assert torch.equal(compressed[index].weight(), network[index].weight)


def test_equal_weights_are_pruned_to_the_exact_count():
    network = adopt(nn.Sequential(nn.Linear(10, 10)))
    with torch.no_grad():
        network[0].weight.values.fill_(0.5)
    assert int((Magnitude().prepare(network).at(0.3)[0].weight() != 0).sum()) == 70


def test_more_sparsity_never_brings_a_weight_back():
    curve = Magnitude().prepare(adopt(make()))
    before = None
    for sparsity in curve.knob.values:
        kept = torch.cat([curve.at(sparsity)[index].weight().flatten() != 0 for index in (0, 2)])
        assert before is None or bool((kept <= before).all())
        before = kept


@given(st.integers(0, 50), st.floats(0.1, 2.5))
@settings(max_examples=30, deadline=None)
def test_deviations_cut_what_is_below_q_standard_deviations_of_each_layer(seed, q):
    network = adopt(make(seed))
    weights = [network[index].weight().detach() for index in (0, 2)]
    expected = [weight.abs() >= q * weight.std(correction=0) for weight in weights]
    everything = torch.cat([mask.flatten() for mask in expected])
    fits = Magnitude("deviation").prepare(network).fits.values()
    found = [fit.kept(1 - everything.double().mean().item()) for fit in fits]
    for mask, layer in zip(found, expected, strict=True):
        assert torch.equal(mask, layer.flatten())


def test_a_layer_of_equal_weights_is_cut_last_and_one_of_zeros_first():
    network = adopt(make())
    with torch.no_grad():
        network[0].weight.values.zero_()
        network[2].weight.values.fill_(1e-3)
    pruned = Magnitude("deviation").prepare(network).at(0.75)  # 600 of 800 are zeros already
    assert not pruned[0].weight().any() and bool(pruned[2].weight().all())


def test_the_picture_marks_the_threshold():
    curve = Magnitude("layer").prepare(adopt(make()))
    picture = curve.picture(0.9, "0")
    survivors = curve.at(0.9)[0].weight().abs()
    assert 0 < picture.marks[1] < survivors[survivors > 0].min() and picture.values.sum() == 600
    assert "90.0 % of the weights are zero" in picture.text


def test_two_scopes_have_two_titles():
    assert len({Magnitude(scope).title for scope in ("network", "layer", "deviation")}) == 3


def test_an_unknown_scope_names_the_three():
    with pytest.raises(ValueError, match="one of network, layer, deviation"):
        Magnitude("everywhere")
