"""Wider and deeper networks begin as the same function, through every kind of connection."""

import pytest
import torch

from labkit import zoo
from labkit.distillation.net2net import deeper, wider
from labkit.measure import parameters
from labkit.train import Recipe, Trainer
from tests.networks import SHAPE, close, pictures
from tests.pictures import few


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("name", "layer", "width"),
    [
        ("LeNet-300-100", "fc1", 333),
        ("LeNet-300-100", "fc2", 300),  # three copies of each, and more of some
        ("LeNet-5", "conv2", 60),  # read behind a flattened picture
        ("VGG", "conv3", 100),
        ("VGG", "conv6", 130),
        ("ResNet-20", "block4.conv1", 40),
        ("ResNet-20", "block5.conv2", 48),  # added to others: all of a stage
    ],
)
def test_a_wider_network_gives_the_same_answers(name, layer, width):
    model = zoo.load(name)
    large = wider(model, SHAPE, layer, width, dice())
    assert large.get_submodule(layer).weight.shape[0] == width and parameters(large) > parameters(model)
    close(large(pictures()), model(pictures()))


@pytest.mark.parametrize(("name", "relu"), [("LeNet-300-100", "relu1"), ("VGG", "relu2"), ("VGG", "relu7")])
def test_a_deeper_network_gives_the_same_answers(name, relu):
    model = zoo.load(name)
    large = deeper(model, relu, pictures(16))
    assert ("norm" in dict(large.get_submodule(relu).named_children())) == (name == "VGG")
    close(large(pictures()), model(pictures()))


def test_wider_twice_and_deeper_between():
    model = zoo.load("VGG")
    large = wider(model, SHAPE, "conv2", 40, dice())
    large = deeper(large, "relu2", pictures(16))
    large = wider(large, SHAPE, "conv4", 70, dice(1))
    close(large(pictures()), model(pictures()))


def test_noise_breaks_the_ties_and_dice_decide_the_copies():
    model = zoo.load("LeNet-300-100")
    exact, noisy = (wider(model, SHAPE, "fc1", 400, dice(), noise) for noise in (0.0, 0.05))
    assert torch.equal(exact.fc1.weight()[:300], noisy.fc1.weight()[:300])
    assert not torch.equal(exact.fc1.weight()[300:], noisy.fc1.weight()[300:])
    assert torch.equal(exact.fc1.weight(), wider(model, SHAPE, "fc1", 400, dice()).fc1.weight())
    assert not torch.equal(exact.fc1.weight(), wider(model, SHAPE, "fc1", 400, dice(1)).fc1.weight())


def test_it_goes_on_learning_from_where_it_was():
    model, data = zoo.load("LeNet-300-100"), few(1024, 200)
    large = wider(model, SHAPE, "fc1", 400, dice(), 0.01)
    losses = [progress.loss for progress in Trainer(large, data, Recipe(epochs=1, learning_rate=0.01)).run(1)]
    assert max(losses) < 0.6  # a new network begins at 2.3


def test_what_cannot_grow_is_refused_in_a_sentence():
    model = zoo.load("LeNet-5")
    with pytest.raises(ValueError, match="'fc2' cannot be wider: choose one of conv1, conv2, fc1"):
        wider(model, SHAPE, "fc2", 20, dice())
    with pytest.raises(ValueError, match="width is 10, but conv1 has 20 outputs already"):
        wider(model, SHAPE, "conv1", 10, dice())
    with pytest.raises(ValueError, match="'pool1' is no ReLU.*choose one of relu1"):
        deeper(model, "pool1", pictures())
