"""Chance: the exact share in each layer, nothing but the seed decides, and no weight is preferred."""

import pytest
import torch
from torch import nn

from labkit import adopt
from labkit.pruning.random import Random
from labkit.pruning.ranked import SPARSITIES


def network():
    torch.manual_seed(0)
    return adopt(nn.Sequential(nn.Linear(100, 60), nn.ReLU(), nn.Linear(60, 10)))


@pytest.mark.parametrize("sparsity", SPARSITIES[1:])
def test_every_layer_has_the_sparsity_itself(sparsity):
    pruned = Random().prepare(network()).at(sparsity)
    assert [len(pruned[i].weight.positions) for i in (0, 2)] == [n - round(sparsity * n) for n in (6000, 600)]


def test_survivors_keep_their_values_and_more_sparsity_brings_none_back():
    original = network()
    curve, before = Random(3).prepare(original), None
    for sparsity in (0.2, 0.6, 0.95):
        weight = curve.at(sparsity)[0].weight()
        kept = weight != 0
        assert torch.equal(weight[kept], original[0].weight()[kept])
        assert before is None or bool((kept <= before).all())
        before = kept


def test_chance_does_not_look_at_the_weights():
    model = network()
    with torch.no_grad():
        model[0].weight.values.copy_(torch.arange(6000.0).view(60, 100) + 1)
    weight = Random().prepare(model).at(0.5)[0].weight().detach()
    mean = weight[weight != 0].mean()  # of 3,000 from 6,000 in a row: standard error 22
    assert abs(float(mean) - 3000.5) < 100
