"""Soft weight-sharing gives each weight the mean that is responsible for it, and training brings them together."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from labkit import adopt, data
from labkit.layers import layers
from labkit.pruning import Magnitude, SoftWeightSharing, softsharing
from labkit.pruning.mixture import Mixture
from labkit.pruning.softsharing import ZERO, assigned
from labkit.storage import load, save, size
from labkit.train import Recipe
from labkit.weights import Codebook, Sparse

BRIEF = Recipe(epochs=2, batch=64, learning_rate=2e-3, weight_decay=0, optimiser="adam")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))).eval()


@pytest.fixture(scope="module")
def few():
    """MNIST with 1,280 pictures to train on: 20 steps an epoch."""
    whole = data.load("MNIST")
    return replace(whole, train=whole.train.take(slice(0, 1280)))


def values(model):
    """Return the different numbers in the weights of a network."""
    return torch.cat([layer.weight().detach().flatten() for layer in layers(model).values()]).unique()


@pytest.mark.parametrize("shape", [(40,), (5, 8), (2, 5, 2, 2)])
def test_each_weight_becomes_the_mean_of_the_likeliest_component(shape):
    torch.manual_seed(1)
    mixture = Mixture(torch.tensor([-0.5, 0.3, 0.9]), torch.tensor([3.0, 4.0, 3.0, 5.0]), torch.zeros(3), 0.8)
    weight = torch.randn(shape)
    expected = []
    for number in weight.flatten():
        likelihoods = [
            share * torch.distributions.Normal(mean, (-precision / 2).exp()).log_prob(number).exp()
            for share, mean, precision in zip([0.8] + [0.2 / 3] * 3, mixture.centres(), mixture.precisions, strict=True)
        ]
        expected.append(mixture.centres()[int(torch.stack(likelihoods).argmax())])
    found = assigned(weight, mixture)
    assert torch.equal(found(), torch.stack(expected).view(shape))
    assert isinstance(found, Sparse) and isinstance(found.values, Codebook) and bool((found.values() != 0).all())


@pytest.mark.parametrize("components", [4, 8, 16])
def test_all_layers_share_the_means_of_one_mixture(network, components, tmp_path):
    with torch.no_grad():  # what training leaves: many weights near zero, some far from it
        network[1].weight.values[:, ::4] *= 10
    small = SoftWeightSharing().prepare(network).at(components)
    assert 2 <= len(values(small)) <= components + 1
    assert save(small, tmp_path / "soft") == size(small).total < size(network).total / 4
    x = torch.randn(2, 1, 28, 28)
    assert torch.equal(load(tmp_path / "soft", into=network)(x), small(x))


def test_training_brings_weights_and_means_together(network, few):
    curve = SoftWeightSharing(tau=0.5).prepare(network)
    start = next(iter(curve.fits.values())).fits.mixture(8)
    means = start.means.clone()
    steps = list(curve.train(8, few, BRIEF))
    assert [progress.step for progress, _ in steps] == [10, 20, 30, 40]
    assert torch.equal(start.means, means), "the fit is the same for the next run"
    trained = steps[-1][1]
    assert all(isinstance(layer.weight, Sparse) for layer in layers(trained).values())
    assert set(values(trained).tolist()) - {0.0} - set(means.tolist()), "the means have moved"
    assert torch.equal(network[1].weight(), curve.fits["1.weight"].values), "the original is left alone"


def test_a_higher_price_brings_weights_nearer_to_their_means(network, few, monkeypatch):
    monkeypatch.setattr(softsharing, "settle", lambda model: model)  # look at the weights on their way
    distance = {}
    for tau in (1e-4, 1.0):
        *_, (_, moving) = SoftWeightSharing(tau).prepare(network).train(8, few, BRIEF)
        part = moving[1].weight
        distance[tau] = float((part() - part.settle()()).detach().abs().mean())
    assert distance[1.0] < 0.7 * distance[1e-4]


def test_after_pruning_only_the_survivors_are_shared_and_zeros_stay_zero(network):
    pruned = Magnitude().prepare(network).at(0.9)
    both = SoftWeightSharing().prepare(pruned).at(16)
    assert not both[1].weight()[pruned[1].weight() == 0].any()
    assert isinstance(both[1].weight.values, Sparse)  # zeros among the survivors


def test_one_layer_only_leaves_the_others_alone(network):
    curve = SoftWeightSharing().prepare(network, where="3")
    assert torch.equal(curve.at(8)[1].weight(), network[1].weight())
    assert curve.picture(8, "3").marks.size <= 8
    with pytest.raises(ValueError, match="layer '1' was left alone: it is not among 3.weight"):
        curve.picture(8, "1")


def test_what_a_learner_gets_wrong_is_named(network):
    with pytest.raises(ValueError, match="components is 5, but must be one of 4, 8, 16"):
        SoftWeightSharing().prepare(network).at(5)
    with pytest.raises(ValueError, match="tau is -1, but must be above 0"):
        SoftWeightSharing(-1)
    assert 0.9 < ZERO < 1
