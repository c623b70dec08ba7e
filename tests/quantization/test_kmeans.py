"""Every weight gets its nearest shared value, and training moves these values as the paper says."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit import adopt, data, zoo
from labkit.clusters import STARTS
from labkit.layers import layers, replace
from labkit.quantization import KMeans
from labkit.train import Recipe
from labkit.weights import Dense


@pytest.mark.parametrize("bits", range(1, 9))
def test_every_weight_gets_its_nearest_centroid(bits):
    torch.manual_seed(0)
    network = adopt(nn.Sequential(nn.Linear(40, 30)))
    weight = network[0].weight().detach()
    compressed = KMeans().prepare(network).at(bits)[0].weight
    centroids = compressed.centroids()
    assert len(centroids) <= 2**bits and len(compressed.codes.unique()) == len(centroids)
    distance = (weight[..., None] - centroids).abs()
    chosen = distance.gather(-1, compressed.codes[..., None].long())[..., 0]
    assert torch.allclose(chosen, distance.min(-1).values, atol=1e-6)


def test_few_distinct_weights_need_few_values():
    network = adopt(nn.Sequential(nn.Linear(10, 10)))
    with torch.no_grad():
        network[0].weight.values.copy_(torch.tensor([-1.0, 0.0, 2.0, 2.0, 2.0]).repeat(20).view(10, 10))
    compressed = KMeans().prepare(network).at(8)
    assert torch.equal(compressed[0].weight(), network[0].weight())
    assert compressed[0].weight.centroids.shape == (3,)


def test_a_constant_weight_becomes_one_value():
    network = adopt(nn.Sequential(nn.Linear(4, 4)))
    with torch.no_grad():
        network[0].weight.values.fill_(0.25)
    assert torch.equal(KMeans().prepare(network).at(4)[0].weight(), network[0].weight())


def test_the_gradient_of_a_centroid_is_the_sum_of_its_weights_gradients():
    """What Han 2016 does by hand, autograd does by itself: index_select backwards adds up by code."""
    pictures = data.load("MNIST")
    part = pictures.train.take(slice(0, 64))
    images = pictures.normalise(part.images)
    small = KMeans().prepare(zoo.load("LeNet-300-100", "MNIST")).at(3)
    F.cross_entropy(small(images), part.labels).backward()
    dense = replace(small, {f"{path}.weight": Dense(layer.weight().detach()) for path, layer in layers(small).items()})
    F.cross_entropy(dense(images), part.labels).backward()
    for path, layer in layers(small).items():
        gradients = layers(dense)[path].weight.values.grad
        for code, found in enumerate(layer.weight.centroids.values.grad):
            torch.testing.assert_close(found, gradients[layer.weight.codes == code].sum(), rtol=1e-3, atol=1e-6)


def test_fine_tuning_moves_the_centroids_and_leaves_the_codes():
    pictures = data.load("MNIST")
    part = pictures.train.take(slice(0, 2000))
    images = pictures.normalise(part.images)
    curve = KMeans().prepare(zoo.load("LeNet-300-100", "MNIST"))
    before = curve.at(2)
    progress, after = next(itertools.islice(curve.train(2, pictures, Recipe(learning_rate=0.1)), 3, None))
    with torch.no_grad():
        losses = [float(F.cross_entropy(model(images), part.labels)) for model in (before, after)]
    assert progress.step == 40 and losses[1] < 0.8 * losses[0]
    for path, layer in layers(after).items():
        assert torch.equal(layer.weight.codes, layers(before)[path].weight.codes)
        assert not torch.equal(layer.weight.centroids(), layers(before)[path].weight.centroids())


def test_the_method_begins_where_it_is_told_and_drops_empty_clusters():
    network = adopt(nn.Sequential(nn.Linear(20, 20)))
    network[0].weight.values.data[0, 0] = 50.0  # one far away: equal steps leave most clusters empty
    used = {}
    for name in STARTS:
        book = KMeans(start=name).prepare(network).at(6)[0].weight
        used[name] = len(book.centroids())
        assert len(book.codes.unique()) == used[name]
    assert used["linear"] < used["companding"] < used["density"] == 64


def test_another_start_is_refused():
    with pytest.raises(ValueError, match="start is 'random', but must be one of companding, linear, density"):
        KMeans(start="random")
