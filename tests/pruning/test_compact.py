"""Dead units go, and the network answers the same."""

import itertools
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import labkit
from labkit import adopt, zoo
from labkit.measure import parameters
from labkit.pruning import Magnitude
from labkit.pruning.compact import compact
from labkit.quantization import KMeans
from tests.networks import SHAPE, close, pictures


def alive_by_hand(weights: list[np.ndarray]) -> list[int]:
    """Count the units of a fully connected network that are read and read something, by a plain loop."""
    masks = [weight != 0 for weight in weights]
    while True:
        before = sum(int(mask.sum()) for mask in masks)
        for behind, ahead in itertools.pairwise(masks):
            for unit in range(len(behind)):
                if not behind[unit].any() or not ahead[:, unit].any():
                    behind[unit], ahead[:, unit] = False, False
        if sum(int(mask.sum()) for mask in masks) == before:
            return [int(mask.any(1).sum()) for mask in masks[:-1]]


@pytest.mark.parametrize("sparsity", [0.9, 0.98, 0.99, 0.995])
def test_units_of_lenet_300_100_are_those_of_a_plain_loop(sparsity, tmp_path):
    pruned = Magnitude().prepare(zoo.load("LeNet-300-100", "MNIST")).at(sparsity)
    shared = KMeans().prepare(pruned).at(4)
    for model in (pruned, shared):
        smaller = compact(model, SHAPE)
        weights = [layer.weight().detach().numpy() for layer in (model.fc1, model.fc2, model.fc3)]
        assert [smaller.fc1.weight.shape[0], smaller.fc2.weight.shape[0]] == alive_by_hand(weights)
        close(smaller(pictures()), model(pictures()))
        assert type(smaller.fc1.weight.values) is type(model.fc1.weight.values)
    written = labkit.save(smaller, tmp_path / "small.safetensors")
    assert written == os.path.getsize(tmp_path / "small.safetensors") < labkit.size(shared).total
    assert torch.equal(labkit.load(tmp_path / "small.safetensors")(pictures()), smaller(pictures()))


@pytest.mark.parametrize("name", ["LeNet-5", "VGG", "ResNet-20"])
@pytest.mark.parametrize("sparsity", [0.95, 0.995])
def test_convolutional_networks_answer_the_same(name, sparsity):
    pruned = Magnitude().prepare(zoo.load(name)).at(sparsity)
    smaller = compact(pruned, SHAPE)
    close(smaller(pictures()), pruned(pictures()))
    assert parameters(smaller) <= parameters(pruned)


@given(st.integers(0, 10**6), st.floats(0.3, 0.98))
@settings(max_examples=40, deadline=None)
def test_any_pattern_of_zeros(seed, sparsity):
    random = torch.Generator().manual_seed(seed)
    layers = [nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ELU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 2, bias=False)]
    layers += [nn.ReLU(), nn.Flatten(), nn.Linear(45, 8), nn.Sigmoid(), nn.Linear(8, 3)]
    model = adopt(nn.Sequential(*layers)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=random))
            if parameter.ndim > 1:
                parameter.mul_(torch.rand(parameter.shape, generator=random) > sparsity)
    smaller = compact(model, (1, 10, 10))
    x = torch.randn(3, 1, 10, 10, generator=random)
    torch.testing.assert_close(smaller(x), model(x), rtol=1e-4, atol=1e-4)
    assert all(
        layer.weight().flatten(1).any(1).all() or len(layer.weight()) == 1
        for layer in (smaller[0], smaller[4], smaller[7])
    )


def convolutions(padding: int, bias: float) -> nn.Module:
    """Two convolutions, of which the first has a filter of zeros with some bias."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=padding))
    model = nn.Sequential(*model, nn.Flatten(), nn.Linear(3 * (4 + 2 * padding) ** 2, 2))
    model[0].weight.data[1], model[0].bias.data[1] = 0, bias
    return adopt(model).eval()


@pytest.mark.parametrize("padding, bias, filters", [(0, 0.7, 3), (1, 0.7, 4), (1, -0.7, 3)])
def test_a_constant_picture_is_moved_into_the_next_bias_unless_zeros_are_put_around_it(padding, bias, filters):
    model, x = convolutions(padding, bias), torch.randn(2, 1, 8, 8)
    smaller = compact(model, (1, 8, 8))
    assert smaller[0].weight.shape[0] == filters
    close(smaller(x), model(x))


def test_one_unit_stays_where_all_are_dead():
    model = adopt(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))).eval()
    model[0].weight.values.data.zero_()
    smaller, x = compact(model, (4,)), torch.randn(5, 4)
    assert smaller[0].weight.shape == (1, 4)
    close(smaller(x), model(x))


def test_a_network_without_dead_units_is_a_copy():
    model = zoo.load("LeNet-5")
    same = compact(model, SHAPE)
    assert parameters(same) == parameters(model) and torch.equal(same(pictures()), model(pictures()))
    assert same.conv1.weight is not model.conv1.weight
