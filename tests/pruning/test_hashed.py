"""HashedNets fit by least squares, train what is shared, and store as many numbers as the knob says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from labkit import adopt, data, zoo
from labkit.measure import accuracy, parameters
from labkit.pruning import HashedNets
from labkit.pruning.hashed import SHARES, bucket_means
from labkit.storage import load, save, size
from labkit.train import Recipe
from labkit.weights import Dense, Hashed
from labkit.weights.hashed import places


@pytest.fixture
def network():
    torch.manual_seed(0)
    return adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))).eval()


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_bucket_means_are_numpys_least_squares(seed, n, count):
    values = torch.randn(n, generator=torch.Generator().manual_seed(seed))
    design = np.zeros((n, count))
    for row, place in enumerate(places(seed, count, n).tolist()):
        design[row, place % count] = 1 if place < count else -1
    expected = np.linalg.lstsq(design, values.numpy(), rcond=None)[0]  # the shortest solution: 0 in an empty bucket
    assert np.allclose(bucket_means(values, seed, count), expected, atol=1e-5)


@pytest.mark.parametrize("share", SHARES)
def test_each_layer_stores_its_share(network, share):
    small = HashedNets().prepare(network).at(share)
    assert parameters(small) == round(share * 784 * 32) + round(share * 320) + 42
    assert isinstance(small[1].weight, Dense if share == 1 else Hashed)


def test_torchs_seed_decides_who_shares_and_layers_differ(network):
    def seeds(seed):
        torch.manual_seed(seed)
        small = HashedNets().prepare(network).at(1 / 8)
        return small[1].weight.seed, small[3].weight.seed

    assert seeds(5) == seeds(5) != seeds(6) and len(set(seeds(5))) == 2


def test_training_moves_the_shared_numbers_and_nobody_changes_bucket(network, tmp_path):
    whole = data.load("MNIST")
    images = replace(whole, train=whole.train.take(slice(0, 3200)))
    curve = HashedNets().prepare(network)
    before = curve.at(1 / 16)
    *steps, (last, trained) = curve.train(1 / 16, images, Recipe(epochs=2, batch=80, learning_rate=0.2))
    assert last.loss < steps[0][0].loss - 0.5
    assert not torch.equal(trained[1].weight.values(), before[1].weight.values())
    assert len(trained[1].weight().abs().unique()) <= trained[1].weight.values.shape[0] == 1568
    written = save(trained, tmp_path / "trained")
    assert written == size(trained).total < 4 * (1568 + 20 + 42) + 400
    x = torch.randn(2, 1, 28, 28)
    assert torch.equal(load(tmp_path / "trained", into=network)(x), trained.eval()(x))


def test_chance_says_little_about_a_trained_network():
    images, trained = data.load("MNIST"), zoo.load("LeNet-300-100", "MNIST")
    torch.manual_seed(0)
    hashed = HashedNets().prepare(trained).at(1 / 8)
    assert accuracy(hashed, images).value < accuracy(trained, images).value - 0.2


def test_the_picture_is_the_matrix_and_says_how_many_share(network):
    picture = HashedNets().prepare(network).picture(1 / 8, "1")
    assert picture.kind == "matrix" and picture.values.shape == (32, 784)
    assert picture.title == "1: 8 weights share each number"
    assert len(np.unique(np.abs(picture.values))) <= 3136
