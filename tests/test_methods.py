"""Methods compose in any order, refuse what a learner may get wrong, and leave the original alone."""

import copy
import itertools
from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from torch import nn

from labkit import adopt, data
from labkit.layers import leaves
from labkit.lowrank import SVD
from labkit.methods import Knob
from labkit.pruning import (
    LAMP,
    FilterPruning,
    HashedNets,
    LowRankFixed,
    Magnitude,
    OptimalBrainDamage,
    OptimalBrainSurgeon,
    PruneRetrain,
    Random,
    RandomEdges,
    SoftWeightSharing,
    StructuredSparsity,
)
from labkit.quantization import KMeans
from labkit.train import Recipe

COMPOSED = [SVD, Magnitude, KMeans]
METHODS = [
    *COMPOSED,
    Random,
    OptimalBrainDamage,
    OptimalBrainSurgeon,
    LAMP,
    PruneRetrain,
    FilterPruning,
    StructuredSparsity,
    HashedNets,
    SoftWeightSharing,
    RandomEdges,
    LowRankFixed,
]


@pytest.fixture(scope="module")
def few():
    """A few pictures, for the methods that look at some."""
    images = data.load("MNIST")
    return replace(images, train=images.train.take(slice(0, 200)))


@pytest.fixture
def network():
    """LeNet-5 in kind, small enough to decompose in no time."""
    torch.manual_seed(0)
    layers = dict(
        conv1=nn.Conv2d(1, 6, 5),
        pool1=nn.MaxPool2d(4),
        flatten=nn.Flatten(),
        fc1=nn.Linear(216, 48),
        fc2=nn.Linear(48, 10),
    )
    return adopt(nn.Sequential(OrderedDict(layers))).eval()


@pytest.mark.parametrize("method", METHODS)
def test_every_value_of_the_knob_gives_a_network_that_runs(method, network, few):
    curve = method().prepare(network, few)
    x = torch.randn(2, 1, 28, 28)
    before = network(x)
    for value in curve.knob.values:
        with torch.inference_mode():
            assert curve.at(value)(x).isfinite().all()
    assert torch.equal(network(x), before)


@pytest.mark.parametrize(
    "order", list(itertools.permutations(COMPOSED)), ids=lambda order: "-".join(m.__name__ for m in order)
)
def test_three_methods_compose_in_any_order_and_train(order, network):
    for method in order:
        curve = method().prepare(network)
        network = curve.at(curve.knob.values[len(curve.knob.values) // 2])
    output = network(torch.randn(2, 1, 28, 28))
    output.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_one_layer_only_leaves_the_others_alone(network):
    compressed = KMeans().prepare(network, where="fc1").at(2)
    kinds = {path: type(leaf).__name__ for path, leaf in leaves(compressed)}
    assert kinds == {"conv1.weight": "Dense", "fc1.weight": "Codebook", "fc2.weight": "Dense"}


@pytest.mark.parametrize("method", METHODS)
def test_pictures_say_in_words_what_they_show(method, network, few):
    curve = method().prepare(network, few)
    for value in curve.knob.values:
        picture = curve.picture(value, "fc1")
        assert "fc1" in picture.title and picture.text and len(picture.values)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [-1, 1.5, float("nan"), 40, "three"])
def test_values_off_the_knob_name_the_allowed_ones(method, value, network, few):
    if (method, value) in [(SVD, 40)]:
        value = 41.5
    with pytest.raises(ValueError, match="but must be one of"):
        method().prepare(network, few).at(value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(method, bad, network, few):
    with torch.no_grad():
        network.conv1.weight.values[0, 0, 0, 0] = bad
    with pytest.raises(ValueError, match="conv1.weight holds NaN or infinite numbers"):
        method().prepare(network, few)


def test_an_empty_layer_is_refused():
    network = adopt(torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(0, 2)))
    with pytest.raises(ValueError, match="1.weight is empty"):
        KMeans().prepare(network)


@pytest.mark.parametrize("method", METHODS)
def test_a_layer_in_which_pruning_left_nothing_is_passed_over(method, network, few):
    with torch.no_grad():
        network.fc1.weight.values.mul_(1e-6)
    pruned = Magnitude().prepare(network).at(0.95)
    assert not pruned.fc1.weight().any()
    curve = method().prepare(pruned, few)
    again = curve.at(curve.knob.values[0])
    assert not again.fc1.weight().any() and again(torch.randn(2, 1, 28, 28)).isfinite().all()


def test_compressed_networks_train_and_stay_compressed(network):
    images = data.load("MNIST")
    network = Magnitude().prepare(network).at(0.9)
    curve = KMeans().prepare(network)
    progress, trained = next(curve.train(3, images, Recipe(epochs=1, learning_rate=0.01)))
    assert progress.step == 10
    weight = trained.fc1.weight()
    assert 1 - (weight != 0).float().mean() > 0.5 and len(weight.unique()) <= 9


def test_training_leaves_the_original_alone(network):
    quantized = KMeans().prepare(network).at(3)
    before = copy.deepcopy(quantized.state_dict())
    _, trained = next(Magnitude().prepare(quantized).train(0.5, data.load("MNIST")))
    assert all(torch.equal(value, before[name]) for name, value in quantized.state_dict().items())
    assert not torch.equal(trained.fc1.weight.values.centroids(), quantized.fc1.weight.centroids())


def test_a_knob_shows_its_values_as_people_read_them():
    assert Knob("sparsity", "", (0.5,), 0.5, percent=True).show(0.995) == "99.5 %"
    assert Knob("rank", "", (16,), 16).show(16) == "16"
    assert Knob("rank", "", (1, 2), 1).check(2) == 2
