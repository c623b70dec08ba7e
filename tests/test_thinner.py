"""Thinner networks: every layer has its share, all numbers are new, and dice decide them."""

import copy
import math

import pytest
import torch

from labkit import layers, zoo
from labkit.measure import macs, parameters
from labkit.thinner import as_new, bias_as_new, thinner

SHAPE = (1, 28, 28)


def half(name: str, seed: int = 0, width: float = 0.5):
    return thinner(zoo.load(name), SHAPE, width, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5", "VGG", "ResNet-20"])
def test_every_layer_but_the_last_has_half_its_outputs(name):
    before, after = layers.layers(zoo.load(name)), layers.layers(half(name))
    *inner, last = before
    assert all(after[path].weight.shape[0] == before[path].weight.shape[0] / 2 for path in inner)
    assert after[last].weight.shape[0] == 10
    with torch.no_grad():
        assert half(name)(torch.zeros(2, *SHAPE)).shape == (2, 10)
    assert macs(half(name), SHAPE) < 0.6 * macs(zoo.load(name), SHAPE)
    assert parameters(half(name)) < 0.55 * parameters(zoo.load(name))


def test_the_same_dice_draw_the_same_network_and_the_model_stays():
    model = zoo.load("VGG")
    state = copy.deepcopy(model.state_dict())
    one, same, other = (half("VGG", seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["conv3.weight.values"], other["conv3.weight.values"])
    thinner(model, SHAPE, 1.0, torch.Generator().manual_seed(0))
    assert all(torch.equal(state[name], now) for name, now in model.state_dict().items())


def test_numbers_are_drawn_as_torch_draws_them_and_normalisation_starts_again():
    weight = as_new(torch.Size((200, 50, 3, 3)), torch.Generator().manual_seed(0))
    bound = 1 / math.sqrt(450)
    assert float(weight.abs().max()) <= bound
    assert abs(float(weight.std()) - bound / math.sqrt(3)) < 0.02 * bound  # evenly between the bounds
    assert float(bias_as_new(weight.shape, torch.Generator().manual_seed(0)).abs().max()) <= bound
    network = half("VGG", width=1.0)
    assert torch.equal(network.bn1.running_mean, torch.zeros(32)) and torch.equal(network.bn1.weight, torch.ones(32))


def test_one_filter_stays_and_a_senseless_width_is_refused():
    assert layers.layers(half("LeNet-5", width=0.001))["conv1"].weight.shape[0] == 1
    for width in (0, -1, 1.5):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            half("LeNet-5", width=width)
