"""Controls keep what they should and change the rest."""

import copy

import pytest
import torch
from torch import nn

from labkit import adopt, layers, zoo
from labkit.course.controls import random_mask, reinitialised, shuffled, shuffled_entries
from labkit.lowrank import SVD
from labkit.pruning import Magnitude
from labkit.quantization import KMeans


def make():
    return nn.Sequential(nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(216, 48), nn.Linear(48, 10))


@pytest.fixture
def network():
    torch.manual_seed(7)
    return adopt(make()).eval()


@pytest.fixture
def pruned(network):
    return Magnitude().prepare(network).at(0.8)


def masks(model):
    return [layer.weight() != 0 for layer in layers.layers(model).values()]


def test_a_random_mask_has_as_many_survivors_in_each_layer_with_the_originals_values(network, pruned):
    control = random_mask(pruned, network)
    for index in (0, 3, 4):
        found, weight = control[index].weight(), network[index].weight()
        kept = found != 0
        assert kept.sum() == (pruned[index].weight() != 0).sum() and torch.equal(found[kept], weight[kept])
        assert not torch.equal(kept, pruned[index].weight() != 0)
    assert all(torch.equal(a, b) for a, b in zip(masks(control), masks(random_mask(pruned, network)), strict=True))
    assert not torch.equal(masks(control)[1], masks(random_mask(pruned, network, seed=1))[1])


def test_chance_spreads_the_survivors_evenly(network, pruned):
    share = torch.stack([masks(random_mask(pruned, network, seed))[1].float() for seed in range(30)]).mean(0)
    assert float(share.mean(1).std()) < 0.03 and float(share.mean(0).std()) < 0.03


@pytest.mark.parametrize("first", [KMeans(), SVD(), Magnitude()])
def test_a_random_mask_of_what_was_compressed_before(first, network):
    curve = first.prepare(network)
    base = curve.at(curve.knob.values[len(curve.knob.values) // 2])
    small = Magnitude().prepare(base).at(0.5)
    before = copy.deepcopy(base.state_dict())
    control = random_mask(small, base)
    with torch.no_grad():
        for parameter in control.parameters():
            parameter.zero_()
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())


def test_pruned_twice_counts_what_is_left(network, pruned):
    twice = Magnitude().prepare(pruned).at(0.5)
    control = random_mask(twice, network)
    assert [int(mask.sum()) for mask in masks(control)] == [int(mask.sum()) for mask in masks(twice)]
    again = reinitialised(twice)
    assert all(torch.equal(one, other) for one, other in zip(masks(again), masks(twice), strict=True))


@pytest.mark.parametrize("where", [None, "3"])
def test_a_reinitialised_network_is_a_new_one_of_torch_with_the_same_zeros(where, network):
    pruned = Magnitude().prepare(network, where=where).at(0.8)
    pruned[1].running_mean.fill_(3.0)
    torch.manual_seed(5)
    new, control = make().eval(), reinitialised(pruned, seed=5)
    for index, mask in zip((0, 3, 4), masks(pruned), strict=True):
        assert torch.equal(control[index].weight(), new[index].weight * mask)
        assert torch.equal(control[index].bias, new[index].bias)
    assert torch.equal(control[1].running_mean, torch.zeros(6)) and float(pruned[1].running_mean[0]) == 3.0


def test_controls_leave_the_pruned_network_alone(network, pruned):
    before = copy.deepcopy(pruned.state_dict())
    random_mask(pruned, network)
    reinitialised(pruned)
    assert all(torch.equal(value, before[name]) for name, value in pruned.state_dict().items())


def test_where_there_is_nothing_to_change_they_say_what_to_do(network, pruned):
    for control in (lambda: random_mask(network, network), lambda: reinitialised(network)):
        with pytest.raises(ValueError, match="nothing is pruned.*prune it first"):
            control()
    with pytest.raises(ValueError, match="no codes to shuffle"):
        shuffled(network)


def test_another_original_is_refused(pruned):
    with pytest.raises(ValueError, match="the original has no"):
        random_mask(pruned, zoo.load("LeNet-300-100"))
    with pytest.raises(ValueError, match="another shape"):
        random_mask(pruned, adopt(nn.Sequential(nn.Conv2d(1, 5, 5))))


def test_shuffled_entries_have_the_same_histogram_and_the_spectrum_of_noise():
    torch.manual_seed(0)
    rows, columns = 60, 200
    layer = nn.Linear(columns, rows)
    layer.weight.data = torch.randn(rows, 3) @ torch.randn(3, columns)  # of rank 3
    model = adopt(nn.Sequential(layer))
    control = shuffled_entries(model)
    before, after = (network[0].weight().detach() for network in (model, control))
    assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)
    edge = after.std() * (rows**0.5 + columns**0.5)  # where the spectrum of noise ends
    assert torch.linalg.svdvals(before)[0] > 2 * edge
    assert 0.9 * edge < torch.linalg.svdvals(after)[0] < 1.1 * edge
    assert torch.equal(model[0].weight(), layer.weight)  # the model itself stays as it is


def test_entries_of_a_compressed_network_are_not_there_to_shuffle():
    with pytest.raises(ValueError, match="no dense weight"):
        shuffled_entries(KMeans().prepare(adopt(nn.Sequential(nn.Linear(20, 30)))).at(1))
