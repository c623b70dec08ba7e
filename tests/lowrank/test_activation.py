"""No matrix of its rank has outputs nearer to the layer's own: whitening, least squares and the SVD all say so."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from labkit import adopt, layers, storage, zoo
from labkit.activations import gram
from labkit.lowrank import SVD, ActivationSVD, Spatial, activation
from labkit.lowrank.activation import output_directions, output_error
from labkit.lowrank.subspace import project
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.train import Recipe
from labkit.weights import Dense, LowRank, Separable
from tests.networks import fashion

MLP = "LeNet-300-100"


@pytest.fixture(scope="module")
def data():
    return fashion(300)


def drawn(random: np.random.RandomState, rows: int, columns: int, pictures: int) -> tuple[np.ndarray, np.ndarray]:
    """A matrix (rows, columns) and what it reads (columns, pictures): correlated, and of very different sizes."""
    x = random.randn(columns, columns) @ np.diag(np.logspace(0, -2, columns)) @ random.randn(columns, pictures)
    return random.randn(rows, columns), x


def found(matrix: np.ndarray, x: np.ndarray, rank: int) -> np.ndarray:
    w, g = torch.from_numpy(matrix), torch.from_numpy(x @ x.T / x.shape[1])
    u, v = project(w, output_directions(w, g)[0][:, :rank])
    return (u @ v).numpy()


def lost(matrix: np.ndarray, other: np.ndarray, x: np.ndarray) -> float:
    return float(np.sum(((matrix - other) @ x) ** 2))


@given(st.integers(2, 8), st.integers(2, 8), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_it_is_the_cut_of_the_whitened_matrix(rows, columns, seed):
    matrix, x = drawn(np.random.RandomState(seed), rows, columns, 50)
    root = np.linalg.cholesky(x @ x.T)
    u, s, v = np.linalg.svd(matrix @ root, full_matrices=False)
    for rank in range(1, min(rows, columns) + 1):
        whitened = (u[:, :rank] * s[:rank]) @ v[:rank] @ np.linalg.inv(root)
        np.testing.assert_allclose(found(matrix, x, rank) @ x, whitened @ x, atol=1e-6 * s[0])
        assert lost(matrix, found(matrix, x, rank), x) == pytest.approx(np.sum(s[rank:] ** 2), abs=1e-9 * s[0] ** 2)


@pytest.mark.parametrize("pictures", [60, 5])  # with 5, the Gram matrix of 7 inputs has no inverse
def test_no_start_of_alternating_least_squares_does_better(pictures):
    random = np.random.RandomState(0)
    matrix, x = drawn(random, 6, 7, pictures)
    y, best = matrix @ x, lost(matrix, found(matrix, x, 2), x)
    ends = []
    for _ in range(8):
        u = random.randn(6, 2)
        for _ in range(300):
            v = np.linalg.lstsq(u, y, rcond=None)[0] @ np.linalg.pinv(x)  # the best v for this u, and the best u for it
            u = np.linalg.lstsq((v @ x).T, y.T, rcond=None)[0].T
        ends.append(lost(matrix, u @ v, x))
    assert min(ends) >= best * (1 - 1e-9) and min(ends) == pytest.approx(best, rel=1e-6)


@given(st.integers(2, 8), st.integers(2, 8), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_outputs_lose_no_more_than_by_the_svd_and_the_weights_no_less(rows, columns, seed):
    matrix, x = drawn(np.random.RandomState(seed), rows, columns, 50)
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    for rank in range(1, min(rows, columns) + 1):
        ours, plain = found(matrix, x, rank), (u[:, :rank] * s[:rank]) @ v[:rank]
        assert lost(matrix, ours, x) <= lost(matrix, plain, x) * (1 + 1e-9) + 1e-9
        assert np.sum((matrix - ours) ** 2) >= np.sum((matrix - plain) ** 2) * (1 - 1e-9) - 1e-9


def test_for_white_inputs_it_is_the_svd():
    torch.manual_seed(0)
    leaf, rank = Dense(torch.randn(10, 14)), 3
    ours = activation.fit_outputs(leaf, 4 * torch.eye(14))
    assert torch.allclose(ours.at(rank)(), SVD().fit(leaf).at(rank)(), atol=1e-5)
    assert torch.allclose(ours.s, 2 * torch.linalg.svdvals(leaf()), atol=1e-4)


@pytest.mark.parametrize(("name", "layer"), [(MLP, "fc1"), ("LeNet-5", "conv2"), ("LeNet-5", "fc1")])
def test_the_outputs_of_a_real_layer_lose_less_on_pictures_that_it_has_not_seen(name, layer, data):
    network = zoo.load(name)
    unseen = fashion(600)
    other = unseen.train.take(slice(300, 600))
    others = type(data)(data.name, data.classes, other, other, other, data.mean, data.std)
    matrix, g = network.get_submodule(layer).weight().detach(), gram(network, others, where=layer)[layer][0]
    ours, plain = ActivationSVD().prepare(network, data, layer), SVD().prepare(network, where=layer)
    for rank in (4, 8, 16):
        one, two = (curve.at(rank).get_submodule(layer).weight() for curve in (ours, plain))
        assert output_error(matrix, one, g) < output_error(matrix, two, g)


def test_the_output_error_is_that_of_the_outputs(data):
    network = zoo.load(MLP)
    curve = ActivationSVD().prepare(network, data, "fc1")
    x = data.normalise(data.train.images).flatten(1)
    y, other = (model.fc1.weight().detach() @ x.mT for model in (network, curve.at(8)))
    g = gram(network, data, where="fc1")["fc1"][0]
    expected = float((y - other).norm() / y.norm())
    assert output_error(network.fc1.weight(), curve.at(8).fc1.weight(), g) == pytest.approx(expected, rel=1e-3)
    picture = curve.picture(8, "fc1")
    assert f"keeps {100 * (1 - expected**2):.1f} %" in picture.title and "output" in picture.y


@pytest.mark.parametrize("name", [MLP, "LeNet-5", "VGG", "ResNet-20"])
def test_each_network_of_the_zoo_comes_back_from_its_file(name, data, tmp_path, monkeypatch):
    monkeypatch.setattr(activation, "PICTURES", 50)
    network = zoo.load(name)
    curve = ActivationSVD().prepare(network, data)
    assert curve.knob == SVD().prepare(network).knob
    small = curve.at(curve.knob.values[len(curve.knob.values) // 2])
    assert {type(layer.weight) for layer in layers.layers(small).values()} <= {LowRank, Dense}
    storage.save(small, tmp_path / "small")
    x = torch.randn(2, 1, 28, 28)
    assert torch.allclose(storage.load(tmp_path / "small")(x), small(x), atol=1e-4)


def test_it_composes_with_what_came_before_and_trains(data):
    network = zoo.load("LeNet-5")
    for first in (Magnitude().prepare(network).at(0.5), KMeans().prepare(network).at(4)):
        small = ActivationSVD().prepare(first, data).at(16)
        weight = first.fc1.weight().detach()
        q, _ = output_directions(weight, gram(first, data, activation.PICTURES, "fc1")["fc1"][0])
        assert torch.allclose(small.fc1.weight(), q[:, :16] @ q[:, :16].mT @ weight, atol=1e-4)
    curve = ActivationSVD().prepare(first, data)
    *_, (_, trained) = curve.train(16, data, Recipe(epochs=1, batch=100, learning_rate=0.01))
    assert not torch.equal(trained.fc1.weight(), curve.at(16).fc1.weight())


def test_a_factor_of_what_was_factorised_before_gets_the_plain_svd(data):
    thin = Spatial().prepare(zoo.load("LeNet-5")).at(16)
    ours, plain = ActivationSVD().prepare(thin, data), SVD().prepare(thin)
    assert ours.fits.keys() == plain.fits.keys() and isinstance(thin.conv2.weight, Separable)
    for path in ("fc1.weight.u", "conv2.weight.vertical"):
        assert torch.equal(ours.at(4).get_submodule(path)(), plain.at(4).get_submodule(path)())


def test_convolutions_in_groups_are_left_alone(data):
    grouped = adopt(nn.Sequential(nn.Conv2d(1, 8, 5), nn.Conv2d(8, 8, 3, groups=2), nn.Flatten(), nn.Linear(3872, 10)))
    curve = ActivationSVD().prepare(grouped, data)
    assert list(curve.fits) == ["0.weight", "3.weight"] and isinstance(curve.at(1)[1].weight, Dense)
    with pytest.raises(ValueError, match="convolves in groups"):
        ActivationSVD().prepare(grouped, data, "1")


def test_a_layer_that_is_the_whole_network(data):
    network = adopt(nn.Conv2d(1, 8, 5)).eval()
    assert isinstance(ActivationSVD().prepare(network, data).at(2).weight, LowRank)


def test_mistakes_are_named(data):
    network = zoo.load(MLP)
    with pytest.raises(ValueError, match=r"give prepare\(model, data\)"):
        ActivationSVD().prepare(network)
    with pytest.raises(ValueError, match="layer 'fc9' does not exist"):
        ActivationSVD().prepare(network, data, "fc9")

    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(784, 2), nn.Linear(6, 2)

        def forward(self, x):
            return self.used(x.flatten(1))

    with pytest.raises(ValueError, match="no picture reaches the layer 'unused'"):
        ActivationSVD().prepare(adopt(Idle()), data)
