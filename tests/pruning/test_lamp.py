"""LAMP against its definition, its closed form in two layers, and magnitude inside each layer."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from labkit import adopt
from labkit.pruning import Magnitude
from labkit.pruning.lamp import LAMP, lamp


def network(*scales: float) -> nn.Module:
    """Layers whose weights are random, but for a factor each."""
    torch.manual_seed(0)
    model = adopt(nn.Sequential(*(nn.Linear(20, 20) for _ in scales)))
    with torch.no_grad():
        for layer, scale in zip(model, scales, strict=True):
            layer.weight.values.mul_(scale)
    return model


@given(st.lists(st.integers(-30, 30), min_size=1, max_size=12, unique_by=abs))
@settings(max_examples=100, deadline=None)
def test_the_score_is_its_definition(values):
    row = torch.tensor(values, dtype=torch.float32)
    expected = [w * w / max(1, sum(v * v for v in values if abs(v) >= abs(w))) for w in values]
    assert lamp(row).tolist() == pytest.approx(expected)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_scores_rise_with_the_magnitude_up_to_1(values):
    row = torch.tensor(values)
    scores = lamp(row)[row.abs().argsort(stable=True)]
    assert bool((scores.diff() >= -1e-12).all())
    assert scores[-1] == (1 if any(values) else 0)


def test_the_scale_of_a_layer_does_not_matter():
    model, scaled = network(1, 1), network(1, 1e-3)
    for sparsity in (0.5, 0.9, 0.99):
        one, other = LAMP().prepare(model).at(sparsity), LAMP().prepare(scaled).at(sparsity)
        for index in (0, 1):
            assert torch.equal(one[index].weight.positions, other[index].weight.positions)
    assert not Magnitude().prepare(scaled).at(0.5)[1].weight().any()  # which one threshold on |w| empties


def test_no_layer_is_empty_before_all_are_down_to_one_weight():
    pruned = LAMP().prepare(network(1, 1e-6, 1e3)).at(0.995)
    counts = [len(layer.weight.positions) for layer in pruned]
    assert min(counts) >= 1 and sum(counts) == 6


def test_inside_a_layer_the_largest_weights_stay():
    model = network(1, 2)
    for layer, before in zip(LAMP().prepare(model).at(0.8), model, strict=True):
        kept = layer.weight() != 0
        assert before.weight().abs()[kept].min() > before.weight().abs()[~kept].max()
