"""Any network, compressed in any way: its parts add up to its file, and it comes back bit for bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from labkit import layers
from labkit.grid import Grid
from labkit.storage import save, size
from tests.compositions import random_weight
from tests.storage.networks import ROUTES, assert_same, bits, network, saved_and_loaded


@st.composite
def rows_of_layers(draw):
    """A row of one to four layers whose Weights are composed at random, some of them shared."""
    random = np.random.RandomState(draw(st.integers(0, 2**31 - 1)))
    row = []
    for _ in range(draw(st.integers(1, 4))):
        shape = draw(st.lists(st.integers(1, 12), min_size=2, max_size=2))
        if draw(st.booleans()):
            shape += draw(st.lists(st.integers(1, 3), min_size=2, max_size=2))
        weight = random_weight(random, tuple(shape), draw(st.integers(0, 4)))
        bias = torch.from_numpy(random.randn(shape[0]).astype(np.float32)) if draw(st.booleans()) else None
        kind = layers.Linear if len(shape) == 2 else layers.Conv2d
        row.append(kind(weight, bias))
        if draw(st.booleans()):
            row.append(kind(weight, bias))  # the Weight is shared, the bias is not
        if draw(st.booleans()):
            row.append(nn.BatchNorm2d(shape[0]))
    return nn.Sequential(*row)


@settings(max_examples=150)
@given(rows_of_layers())
def test_any_composition_comes_back_and_its_parts_are_its_file(tmp_path_factory, model):
    again = saved_and_loaded(model, tmp_path_factory.getbasetemp())
    assert_same(model, again)
    for path, layer in layers.layers(model).items():
        assert torch.equal(bits(layer.weight()), bits(again.get_submodule(path).weight()))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5", "VGG"])
def test_a_network_of_the_zoo_gives_the_same_outputs_bit_for_bit(tmp_path, name, route):
    model = ROUTES[route](network(name)).eval()
    again = saved_and_loaded(model, tmp_path)
    assert again.origin == model.origin == (name, (1, 28, 28), 10)
    assert_same(model, again)
    images = torch.randn(5, 1, 28, 28)
    with torch.inference_mode():
        assert torch.equal(model(images), again(images))


@pytest.mark.parametrize("scale", [0.1, 2.0**-126, 3.4028234e38, 1.0, 0.012345679])
@pytest.mark.parametrize("symmetric", [False, True])
def test_the_grids_of_layers_come_back_to_the_last_bit(tmp_path, scale, symmetric):
    model = network("LeNet-5")
    for width, layer in zip((2, 8, 3, 16), layers.layers(model).values(), strict=True):
        layer.grid = Grid(width, scale, 2 ** (width - 1) - 1, symmetric)
    model.conv1.grid = None
    before, again = size(network("LeNet-5")), saved_and_loaded(model, tmp_path)
    assert_same(model, again)
    for old, new in zip(layers.layers(model).values(), layers.layers(again).values(), strict=True):
        assert (old.grid and old.grid.numbers) == (new.grid and new.grid.numbers)
    assert size(model).total - before.total < 100
    images = torch.randn(5, 1, 28, 28)
    with torch.inference_mode():
        assert torch.equal(bits(model(images)), bits(again(images)))


def test_a_grid_of_its_own_comes_back(tmp_path):
    model = nn.Sequential(Grid(3, 0.3, 5), network("LeNet-300-100").fc1)
    again = saved_and_loaded(model, tmp_path)
    assert_same(model, again)
    assert again[0].numbers == model[0].numbers


def test_a_network_with_shortcuts_comes_back(tmp_path):
    model = ROUTES["pruned, then clustered"](network("ResNet-20")).eval()
    again = saved_and_loaded(model, tmp_path)
    assert_same(model, again)
    images = torch.randn(2, 1, 28, 28)
    with torch.inference_mode():
        assert torch.equal(model(images), again(images))


@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5"])
@pytest.mark.parametrize("route", ["dense", "clustered", "pruned, then clustered", "factorised, then clustered"])
def test_the_structure_of_a_small_network_takes_under_600_bytes(name, route):
    assert size(ROUTES[route](network(name))).parts["structure"] < 600


def test_the_parts_are_the_layers_that_hold_numbers():
    assert list(size(network("LeNet-5")).parts) == ["conv1", "conv2", "fc1", "fc2", "structure"]
    assert "bn1" in size(network("VGG")).parts


def test_a_clustered_lenet_takes_three_bits_a_weight_or_fewer():
    model = network("LeNet-300-100")
    found = size(ROUTES["clustered"](model))
    assert 266_200 * 2 / 8 < found.total < 266_200 * 3 / 8 + 410 * 4 + 700
    assert size(model).total > 266_610 * 4


def test_channels_last_stays_so(tmp_path):
    model = network("LeNet-5").to(memory_format=torch.channels_last)
    again = saved_and_loaded(model, tmp_path)
    assert again.conv2.weight.values.stride() == model.conv2.weight.values.stride() != (500, 25, 5, 1)
    images = torch.randn(5, 1, 28, 28)
    with torch.inference_mode():
        assert torch.equal(model(images), again(images))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_network_on_a_gpu_makes_the_same_file(tmp_path):
    model = ROUTES["clustered"](network("LeNet-5"))
    save(model, tmp_path / "cpu")
    save(model.cuda(), tmp_path / "gpu")
    assert (tmp_path / "cpu").read_bytes() == (tmp_path / "gpu").read_bytes()
