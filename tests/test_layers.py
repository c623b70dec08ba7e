"""Adopting a network changes nothing that it computes; replacing shares nothing with the original."""

import copy

import pytest
import torch
from torch import nn

from labkit import adopt, zoo
from labkit._torchvision import torchvision
from labkit.grid import Grid
from labkit.layers import Conv2d, Linear, layers, leaves, replace
from labkit.weights import Dense, LowRank


@pytest.mark.parametrize("name", zoo.NETWORKS)
def test_adopted_networks_of_the_zoo_compute_the_same(name):
    network = zoo.build(name).eval()
    x = torch.randn(3, 1, 28, 28)
    assert torch.equal(adopt(network)(x), network(x))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_networks_brought_along_compute_the_same(name):
    torch.manual_seed(0)
    network = getattr(torchvision("models"), name)(num_classes=10).eval()
    before = copy.deepcopy(network.state_dict())
    adopted = adopt(network)
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(adopted(x), network(x))
    kinds = {type(module) for module in adopted.modules()}
    assert nn.Linear not in kinds and nn.Conv2d not in kinds
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, 3, padding="same", groups=2),
        nn.Conv2d(4, 6, (3, 1), stride=(2, 1), padding=(1, 0), dilation=2, bias=False),
        nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 6, 3, padding=(2, 1), padding_mode="circular"),
    ],
    ids=str,
)
def test_every_kind_of_convolution_is_adopted(layer):
    x = torch.randn(2, 4, 9, 9)
    assert torch.equal(adopt(layer)(x), layer(x))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda grid: Linear(Dense(torch.randn(3, 4)), torch.randn(3), grid), (5, 4)),
        (lambda grid: Conv2d(Dense(torch.randn(3, 4, 3, 3)), None, padding=1, grid=grid), (2, 4, 6, 6)),
        (
            lambda grid: Conv2d(Dense(torch.randn(3, 4, 3, 3)), padding=1, padding_mode="reflect", grid=grid),
            (2, 4, 6, 6),
        ),
    ],
)
def test_a_grid_rounds_what_the_layer_reads_and_nothing_else(layer, shape):
    torch.manual_seed(0)
    rounding, x = layer(Grid(3, 0.4, 3)), torch.randn(shape)
    plain = copy.deepcopy(rounding)
    plain.grid = None
    assert torch.equal(rounding(x), plain(rounding.grid(x))) and not torch.equal(rounding(x), plain(x))
    new = replace(rounding, {"weight": Dense(torch.zeros_like(rounding.weight()))})
    assert new.grid.numbers == rounding.grid.numbers and new.grid is not rounding.grid


def test_a_shared_layer_stays_shared_and_shared_tensors_stay_tied():
    shared = nn.Linear(4, 4)
    network = adopt(nn.Sequential(shared, nn.ReLU(), shared))
    assert network[0] is network[2]
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    adopted = adopt(tied)
    assert adopted[0].weight is adopted[1].weight
    assert [path for path, _ in leaves(adopted)] == ["0.weight"]


def test_subclasses_stay_as_they_are():
    attention = adopt(nn.Sequential(nn.MultiheadAttention(4, 2), nn.Linear(4, 2)))
    assert type(attention[0].out_proj) is not Linear and type(attention[1]) is Linear


def test_adopting_twice_changes_nothing():
    network = adopt(zoo.build("LeNet-300-100"))
    assert layers(adopt(network)).keys() == layers(network).keys()


def test_nothing_to_adopt_is_an_error():
    with pytest.raises(ValueError, match="no nn.Linear and no nn.Conv2d"):
        adopt(nn.Sequential(nn.ReLU()))
    with pytest.raises(ValueError, match=r"call labkit.adopt\(model\) first"):
        list(leaves(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="'fc9' does not exist: choose one of fc1, fc2, fc3"):
        list(leaves(adopt(zoo.build("LeNet-300-100")), "fc9"))


def test_a_copy_with_another_weight_shares_nothing_with_the_original():
    network = adopt(zoo.build("LeNet-300-100"))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    new = replace(network, {"fc1.weight": LowRank(torch.zeros(300, 1), torch.zeros(1, 784), (300, 784))})
    assert not new.fc1.weight().any() and network.fc1.weight().any()
    with torch.no_grad():
        for parameter in new.parameters():
            parameter.fill_(7)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_layers_refuse_weights_of_another_shape():
    with pytest.raises(ValueError, match="two dimensions"):
        Linear(Dense(torch.ones(2, 2, 1, 1)))
    with pytest.raises(ValueError, match="four dimensions"):
        Conv2d(Dense(torch.ones(2, 2)))
    with pytest.raises(ValueError, match="the weight has 2 outputs"):
        Linear(Dense(torch.ones(2, 2)), torch.ones(3))
