"""One codebook for all layers, weighted by the curvature: the least weighted error, stored once, shared for good."""

import itertools
import os

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import labkit
from labkit import adopt, curvature, data, storage, zoo
from labkit.layers import layers
from labkit.lowrank import SVD
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.quantization.hessian import HessianKMeans
from labkit.train import Recipe


@pytest.fixture(scope="module")
def lenet():
    return zoo.load("LeNet-300-100", "MNIST")


@pytest.fixture(scope="module")
def pictures():
    return data.load("MNIST")


@pytest.fixture(scope="module")
def curve(lenet, pictures):
    return HessianKMeans().prepare(lenet, pictures)


@pytest.fixture(scope="module")
def h(lenet, pictures):
    return curvature.diagonal(lenet, pictures)


def flat(model):
    return np.concatenate([layer.weight().detach().flatten().numpy() for layer in layers(model).values()])


def books(model):
    return {path: layer.weight for path, layer in layers(model).items()}


@pytest.mark.parametrize("bits", [1, 3])
def test_every_weight_has_its_nearest_centroid_and_every_centroid_is_its_weighted_mean(curve, bits):
    model = curve.at(bits)
    values = torch.from_numpy(curve.pool.values)
    codes = torch.cat([book.codes.flatten() for book in books(model).values()])
    centroids = model.fc1.weight.centroids().detach().double()
    assert len(centroids) == 2**bits
    distance = (values[:, None] - centroids).abs()
    chosen = distance.gather(1, codes[:, None].long())[:, 0]
    assert (chosen - distance.min(1).values).max() < 1e-6
    for code, centroid in enumerate(centroids):
        mine = (codes == code).numpy()
        mean = np.average(curve.pool.values[mine], weights=curve.pool.h[mine])
        assert abs(mean - float(centroid)) < 1e-6


@pytest.mark.parametrize("bits", [2, 3])
def test_the_predicted_rise_of_the_loss_is_far_below_that_of_plain_clusters(curve, h, lenet, bits):
    plain = HessianKMeans(weighted=False).prepare(lenet)
    weighted, unweighted = (curvature.rise(h, lenet, each.at(bits)) for each in (curve, plain))
    assert weighted < 0.6 * unweighted
    errors = [plain.pool.h @ (plain.pool.values - flat(each.at(bits))) ** 2 for each in (curve, plain)]
    assert errors[1] < errors[0]  # each is best at what it makes small
    assert errors[1] == pytest.approx(plain.error(bits), rel=1e-4)


def test_the_loss_itself_rises_less_than_with_plain_clusters_and_about_as_predicted(curve, h, lenet, pictures):
    plain = HessianKMeans(weighted=False).prepare(lenet)
    part = pictures.train.take(slice(0, 5000))
    images = pictures.normalise(part.images)
    with torch.no_grad():
        before, weighted, unweighted = (
            float(F.cross_entropy(model(images), part.labels)) for model in (lenet, curve.at(4), plain.at(4))
        )
    assert weighted - before < 0.5 * (unweighted - before)
    assert 0.4 < (weighted - before) / curvature.rise(h, lenet, curve.at(4)) < 2.5


def test_what_seems_free_still_counts(curve, h):
    raw = np.concatenate([part.flatten().double().numpy() for part in h.values()])
    assert raw.min() == 0  # pixels that are never lit
    assert np.allclose(curve.pool.h, raw + raw.mean()) and curve.pool.h.min() > 0


def test_one_layer_gets_a_codebook_of_its_own(lenet, pictures):
    model = HessianKMeans().prepare(lenet, pictures, where="fc3").at(2)
    assert [type(weight).__name__ for weight in books(model).values()] == ["Dense", "Dense", "Codebook"]


def test_the_file_holds_the_codebook_once_and_gives_it_back_shared(curve, lenet, tmp_path):
    model = curve.at(8)
    path = tmp_path / "small.safetensors"
    labkit.save(model, path)
    assert labkit.size(model).total == os.path.getsize(path)
    loaded = labkit.load(path)
    centroids = loaded.fc1.weight.centroids
    for name, book in books(loaded).items():
        assert book.centroids is centroids
        assert torch.equal(book(), books(model)[name]())
    apart = labkit.load(path)
    for book in books(apart).values():
        book.centroids = labkit.weights.Dense(book.centroids().detach())
    assert labkit.size(apart).total - labkit.size(model).total >= 2 * 4 * 200


def test_a_shared_codebook_stays_shared_while_it_is_trained(curve, lenet, pictures, tmp_path):
    part = pictures.train.take(slice(0, 2000))
    images = pictures.normalise(part.images)
    _, trained = next(itertools.islice(curve.train(2, pictures, Recipe(learning_rate=0.1)), 3, None))
    before = curve.at(2)
    with torch.no_grad():
        losses = [float(F.cross_entropy(model(images), part.labels)) for model in (before, trained)]
    assert losses[1] < 0.8 * losses[0]
    assert len({id(book.centroids) for book in books(trained).values()}) == 1
    assert not torch.equal(trained.fc1.weight.centroids(), before.fc1.weight.centroids())
    labkit.save(trained, tmp_path / "trained.safetensors")
    loaded = labkit.load(tmp_path / "trained.safetensors")
    assert loaded.fc1.weight.centroids is loaded.fc3.weight.centroids
    assert torch.equal(loaded(images[:9]), trained.eval()(images[:9]))


@pytest.mark.parametrize("before", [SVD, Magnitude, KMeans])
def test_it_composes_with_what_was_done_before(before, lenet, pictures, tmp_path):
    first = before().prepare(lenet)
    model = first.at(first.knob.values[len(first.knob.values) // 2])
    second = HessianKMeans().prepare(model, pictures)
    small = second.at(4)
    labkit.save(small, tmp_path / "small.safetensors")
    assert labkit.size(small).total == os.path.getsize(tmp_path / "small.safetensors") < storage.size(model).total
    loaded, images = labkit.load(tmp_path / "small.safetensors"), torch.randn(2, 1, 28, 28)
    assert torch.equal(loaded(images), small.eval()(images))
    assert second.picture(4, "fc1").marks.size <= 16


def test_what_a_learner_may_get_wrong(lenet, curve):
    with pytest.raises(ValueError, match="HessianKMeans measures the curvature on pictures: give it data"):
        HessianKMeans().prepare(lenet)
    broken = adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    with torch.no_grad():
        broken[1].weight.values[0, 0] = float("nan")
    with pytest.raises(ValueError, match="1.weight holds NaN"):
        HessianKMeans(weighted=False).prepare(broken)
    with pytest.raises(ValueError, match="layer 'fc9' does not exist"):
        HessianKMeans(weighted=False).prepare(lenet, where="fc9")
    for bits in (0, 40, 2.5):
        with pytest.raises(ValueError, match="must be one of 1, 2"):
            curve.at(bits)
    with pytest.raises(ValueError, match="layer 'fc9' was left alone"):
        curve.picture(2, "fc9")


def test_a_network_without_any_curvature_is_clustered_plainly(pictures):
    network = adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    with torch.no_grad():
        network[1].bias[0] = 1e6  # sure of every picture
    weighted = HessianKMeans().prepare(network, pictures)
    plain = HessianKMeans(weighted=False).prepare(network)
    assert torch.equal(weighted.at(3)[1].weight(), plain.at(3)[1].weight())


def test_its_picture_marks_the_values_that_the_layer_uses(curve):
    picture = curve.picture(4, "fc2")
    used = books(curve.at(4))["fc2"].codes.unique()
    assert len(picture.marks) == len(used) and picture.values.sum() == 300 * 100
    assert "fc2" in picture.text and "16 values that all layers share" in picture.title
