"""The pipeline is its parts one after the other: pruned by one, clustered by the other, trained after each."""

import os
from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from torch import nn

import labkit
from labkit import adopt, data
from labkit.layers import layers, leaves
from labkit.lowrank import SVD
from labkit.pruning import Magnitude
from labkit.pruning.deepcompression import DeepCompression, bits_by_layer
from labkit.quantization import KMeans, Uniform
from labkit.train import Recipe
from labkit.weights import Codebook, Dense, Sparse


@pytest.fixture
def network():
    """A convolution and two matrices, small enough to train in no time."""
    torch.manual_seed(0)
    parts = dict(
        conv1=nn.Conv2d(1, 6, 5),
        pool1=nn.MaxPool2d(4),
        flatten=nn.Flatten(),
        fc1=nn.Linear(216, 48),
        relu1=nn.ReLU(),
        fc2=nn.Linear(48, 10),
    )
    return adopt(nn.Sequential(OrderedDict(parts))).eval()


@pytest.fixture
def few():
    """The first 256 training pictures: two steps an epoch."""
    pictures = data.load("MNIST")
    return replace(pictures, train=pictures.train.take(slice(0, 256)))


@pytest.mark.parametrize("scope", ["network", "layer", "deviation"])
@pytest.mark.parametrize("start", ["linear", "companding"])
def test_without_training_it_is_pruning_then_clustering(scope, start, network):
    curve = DeepCompression(3, scope, start).prepare(network)
    pruning = Magnitude(scope).prepare(network)
    for sparsity in curve.knob.values:
        expected = KMeans(start).prepare(pruning.at(sparsity)).at(3)
        for path, layer in layers(curve.at(sparsity)).items():
            assert torch.equal(layer.weight(), layers(expected)[path].weight())


def test_each_survivor_has_the_nearest_value_and_no_value_is_idle(network):
    weight = DeepCompression(4).prepare(network).at(0.8).fc1.weight
    survivors = network.fc1.weight().detach().flatten()[weight.positions]
    centroids, codes = weight.values.centroids().detach(), weight.values.codes
    nearest = (survivors[:, None] - centroids).abs().min(1).values
    torch.testing.assert_close((survivors - centroids[codes]).abs(), nearest)
    assert len(codes.unique()) == len(centroids) <= 16


def test_nothing_pruned_is_a_codebook_and_all_pruned_is_nothing(network):
    dense = DeepCompression(2).prepare(network).at(0)
    assert all(type(layer.weight) is Codebook for layer in layers(dense).values())
    with torch.no_grad():
        network.fc1.weight.values.mul_(1e-6)
    empty = DeepCompression(2).prepare(network).at(0.95)
    assert empty.fc1.weight.positions.shape == (0,) and empty.fc1.weight.values.centroids().shape == (0,)
    assert empty(torch.randn(2, 1, 28, 28)).isfinite().all()
    assert len(DeepCompression().prepare(network).picture(0.95, "fc1").marks) == 0


@pytest.mark.parametrize("value", [0, 0.5, 0.999])
def test_the_file_is_as_long_as_it_says_and_brings_the_same_network_back(value, network, tmp_path):
    small = DeepCompression({"conv": 6, "fc": 3}).prepare(network).at(value)
    path = tmp_path / "small.safetensors"
    assert labkit.save(small, path) == labkit.size(small).total == os.path.getsize(path)
    again = labkit.load(path, into=network)
    for name, layer in layers(small).items():
        assert torch.equal(layers(again)[name].weight(), layer.weight())


@pytest.mark.parametrize("first", [SVD, Magnitude, KMeans, Uniform])
def test_it_goes_on_from_what_another_method_left(first, network):
    before = first().prepare(network)
    before = before.at(before.knob.values[len(before.knob.values) // 2])
    after = DeepCompression(3, "layer").prepare(before).at(0.5)
    for path, leaf in leaves(after):
        assert isinstance(leaf, Codebook) and len(leaf.centroids()) <= 8, path
    assert after(torch.randn(2, 1, 28, 28)).isfinite().all()


def test_one_layer_leaves_the_others_alone_even_in_training(network, few):
    curve = DeepCompression({"fc1": 2}).prepare(network, where="fc1")
    *_, (_, trained) = curve.train(0.9, few, Recipe(epochs=2, learning_rate=0.01))
    assert [type(layer.weight) for layer in layers(trained).values()] == [Dense, Sparse, Dense]


def test_training_prunes_first_then_shares_and_cut_weights_stay_cut(network, few):
    curve = DeepCompression(2).prepare(network)
    cut = curve.at(0.9).fc1.weight() == 0
    run = list(curve.train(0.9, few, Recipe(epochs=4, learning_rate=0.05)))
    assert [(progress.step, progress.steps, progress.epoch) for progress, _ in run] == [
        (2 * epoch, 8, epoch) for epoch in (1, 2, 3, 4)
    ]
    kinds = [type(model.fc1.weight.values) for _, model in run]
    assert kinds == [Dense] * 3 + [Codebook]
    assert all(bool((model.fc1.weight()[cut] == 0).all()) for _, model in run)
    last = run[-1][1]
    assert len(last.fc1.weight().unique()) <= 5  # zero and four values
    survivors = run[2][1].fc1.weight.values().detach()
    assert not torch.equal(survivors, network.fc1.weight().detach().flatten()[last.fc1.weight.positions])
    fresh = KMeans("linear").prepare(run[2][1]).at(2).fc1.weight.values.centroids()
    assert not torch.equal(last.fc1.weight.values.centroids(), fresh)  # the centroids were trained


def test_a_single_epoch_trains_the_centroids(network, few):
    curve = DeepCompression(2).prepare(network)
    ((progress, trained),) = curve.train(0.9, few, Recipe(epochs=1, learning_rate=0.01))
    assert (progress.step, progress.steps) == (2, 2)
    assert torch.equal(trained.fc1.weight.values.codes, curve.at(0.9).fc1.weight.values.codes)


def test_training_wins_back_what_pruning_lost():
    pictures = data.load("MNIST")
    pictures = replace(pictures, train=pictures.train.take(slice(0, 12_800)))
    curve = DeepCompression().prepare(labkit.zoo.load("LeNet-300-100", "MNIST"))
    before = labkit.measure(curve.at(0.95), pictures).accuracy.value
    *_, (_, trained) = curve.train(0.95, pictures, Recipe(epochs=2, learning_rate=0.02))
    assert labkit.measure(trained.eval(), pictures).accuracy.value > before + 0.01


def test_bits_are_those_of_the_layer_or_of_its_kind(network):
    small = DeepCompression({"conv": 1, "fc": 2, "fc2": 3}).prepare(network).at(0.5)
    assert [len(layer.weight.values.centroids()) for layer in layers(small).values()] == [2, 4, 8]


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        (0, "bits are 0, but must be a whole number from 1 to 8"),
        (2.5, "bits are 2.5"),
        ({"conv": 3, "fc": True}, "bits are True"),
        ({"fc": 3}, "bits say nothing of conv1: name it, or conv for all of its kind"),
        ({"conv": 3, "fc": 3, "fc9": 3}, "bits name 'fc9', but must name conv, fc or a layer: conv1, fc1, fc2"),
    ],
)
def test_bits_that_cannot_be_are_named(bits, said, network):
    with pytest.raises(ValueError) as caught:
        DeepCompression(bits).prepare(network)
    assert said in str(caught.value)


def test_only_the_layer_that_is_meant_needs_bits(network):
    assert bits_by_layer({"fc": 3}, network, "fc1") == {"fc1": 3}


def test_what_the_parts_do_not_know_is_refused(network):
    with pytest.raises(ValueError, match="scope is"):
        DeepCompression(scope="row")
    with pytest.raises(ValueError, match="start is"):
        DeepCompression(start="middle")
    with pytest.raises(ValueError, match="sparsity is 2, but must be one of"):
        DeepCompression().prepare(network).at(2)
    with pytest.raises(ValueError, match="sparsity is 2, but must be one of"):
        next(DeepCompression().prepare(network).train(2, None))


def test_a_damaged_network_is_refused(network):
    with torch.no_grad():
        network.conv1.weight.values[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="conv1.weight holds NaN or infinite numbers"):
        DeepCompression().prepare(network)


def test_two_settings_have_two_titles():
    methods = [
        DeepCompression(),
        DeepCompression(6),
        DeepCompression({"conv": 8, "fc": 5}),
        DeepCompression(scope="layer"),
    ]
    assert len({method.title for method in methods}) == 4


def test_the_picture_counts_who_stays(network):
    picture = DeepCompression(3).prepare(network).picture(0.8, "fc1")
    weight = DeepCompression(3).prepare(network).at(0.8).fc1.weight
    assert picture.values.sum() == len(weight.positions) and len(picture.marks) == len(weight.values.centroids())
    assert "fc1" in picture.title and str(len(weight.positions)) in picture.text
