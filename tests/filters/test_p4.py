"""Whole networks are equivariant to quarter turns where their grids are, and invariant where they pool them."""

import pytest
import torch

from labkit import zoo
from labkit.filters import P4
from labkit.filters.equivariance import acted, equivariance_error, maps
from labkit.filters.p4 import oriented
from labkit.layers import adopt
from labkit.orbits import OrbitNorm
from labkit.rotated import turned
from labkit.train import Recipe
from tests.networks import shaken
from tests.pictures import few

QUARTERS = (90, 180, 270)
EXACT = 1e-5  # of the norm of the maps: what float32 rounds in seven layers


def network(name):
    torch.manual_seed(0)
    return P4("random").prepare(adopt(shaken(zoo.build(name)))).at(4).eval()


@pytest.fixture(scope="module")
def x():
    return torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("degrees", QUARTERS)
@pytest.mark.parametrize(("name", "layer"), [("VGG", "relu6"), ("P4CNN", "relu6"), ("ResNet-20", "block3")])
def test_maps_turn_and_move_on_with_the_picture(name, layer, degrees, x):
    model = network(name)
    assert equivariance_error(model, x, layer, degrees, turns=4) < EXACT
    assert equivariance_error(model, x, layer, degrees, turns=1) > 1e-3  # turned alone, they are others


@pytest.mark.parametrize("degrees", QUARTERS)
@pytest.mark.parametrize("name", ["P4CNN", "P4CNN-pooled"])
def test_pooled_over_orientations_the_answers_do_not_change(name, degrees, x):
    model = network(name)
    with torch.no_grad():
        torch.testing.assert_close(model(turned(x, degrees)), model(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "layer"), [("VGG", "pool3"), ("ResNet-20", "block4")])
def test_a_grid_that_does_not_turn_into_itself_breaks_it(name, layer, x):
    """VGG pools 7 x 7 to 3 x 3, and the stride of ResNet-20 reads every other row from the first one on."""
    assert equivariance_error(network(name), x, layer, 90, turns=4) > 0.01


def test_between_quarters_nothing_is_promised(x):
    assert equivariance_error(network("P4CNN"), x, "relu2", 45, turns=4) > 0.1


def test_plain_filters_are_not_equivariant(x):
    assert equivariance_error(zoo.load("Z2CNN", "MNIST-rotated"), x, "relu2", 90) > 0.3
    model = P4().prepare(zoo.load("P4CNN", "MNIST-rotated"))
    assert equivariance_error(model.at(4), x, "relu6", 90, turns=4) < EXACT


def test_it_stays_equivariant_when_it_is_trained(x):
    curve = P4("random").prepare(adopt(zoo.build("VGG")))
    *_, (_, trained) = curve.train(4, few(256, 50), Recipe(epochs=2))
    assert equivariance_error(trained.eval(), x, "relu6", 90, turns=4) < EXACT


def test_lifting_comes_first_and_after_each_pool_and_norms_follow():
    lifted, norms = oriented(zoo.load("VGG"), [f"conv{index}.weight" for index in range(1, 7)], 4)
    assert [turning.slices for turning in lifted.values()] == [1, 4, 4, 4, 4, 4]
    assert norms == [f"bn{index}" for index in range(1, 7)]
    pooled = adopt(zoo.build("P4CNN-pooled"))
    lifted, _ = oriented(pooled, [f"conv{index}.weight" for index in range(1, 8)], 4)
    assert {turning.slices for turning in lifted.values()} == {1}
    assert oriented(pooled, ["conv1.weight"], 1) == ({}, [])
    model = P4().prepare(zoo.load("ResNet-20")).at(4)
    assert isinstance(model.block4.shortcut.bn, OrbitNorm) and model.block4.shortcut.conv.weight.filters.shape[2] == 4


def test_maps_are_those_of_the_layer_and_the_model_stays_in_its_mode(x):
    model = zoo.load("VGG").train()
    found = maps(model, x, "conv1")
    torch.testing.assert_close(found, model.conv1(x))
    assert model.training and not model.conv1._forward_hooks
    with pytest.raises(ValueError, match="layer 'conv9' does not exist: choose one of conv1, bn1"):
        maps(model, x, "conv9")


def test_acting_four_times_gives_the_maps_back():
    y = torch.randn(2, 8, 5, 5)
    once = y
    for _ in range(4):
        once = acted(once, 90, 4)
    assert torch.equal(once, y) and not torch.equal(acted(y, 180, 4), y)
    torch.testing.assert_close(acted(acted(y, 90, 4), 180, 4), acted(y, 270, 4))
