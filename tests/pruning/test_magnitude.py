"""Pruning keeps exactly the largest weights, by one threshold or by one for each layer."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from labkit import adopt
from labkit.pruning import Magnitude
from labkit.pruning.magnitude import SPARSITIES


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


def test_an_unknown_scope_names_the_two():
    with pytest.raises(ValueError, match="'network'.*'layer'"):
        Magnitude("everywhere")
