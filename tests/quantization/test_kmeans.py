"""Our one-dimensional Lloyd is never worse than a general clusterer, and near the optimum."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.cluster import KMeans as Clusterer
from torch import nn
from torch.nn import functional as F

from labkit import adopt, data, zoo
from labkit.layers import layers, replace
from labkit.quantization import KMeans
from labkit.quantization.kmeans import lloyd, prefix_sums
from labkit.quantization.starts import companding_start, place
from labkit.train import Recipe
from labkit.weights import Dense


def squared_error(values, centroids):
    return float(np.min((values[:, None] - centroids[None]) ** 2, axis=1).sum())


def optimum(values, count, h=None):
    """The least (weighted) squared error of any clustering, by dynamic programming over the sorted values."""
    n = len(values)
    h = np.ones(n) if h is None else h[np.argsort(values)]
    values = np.sort(values)
    masses, sums, squares = (np.concatenate([[0], np.cumsum(h * values**power)]) for power in (0, 1, 2))

    def cost(a, b):
        return squares[b] - squares[a] - (sums[b] - sums[a]) ** 2 / (masses[b] - masses[a])

    best = np.array([0.0] + [np.inf] * n)
    for _ in range(count):
        best = np.array([0.0] + [min(best[a] + cost(a, b) for a in range(b)) for b in range(1, n + 1)])
    return best[n]


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_the_result_is_near_the_optimum(bits):
    values = np.random.RandomState(bits).standard_normal(150)
    ordered = np.sort(values)
    centroids, _ = lloyd(ordered, companding_start(ordered, 2**bits))
    best = optimum(values, 2**bits)
    assert best * (1 - 1e-9) <= squared_error(values, centroids) <= 1.1 * best


@pytest.mark.parametrize("count", [2, 4, 8])
def test_the_weighted_result_is_near_the_weighted_optimum(count):
    random = np.random.RandomState(count)
    ordered, h = np.sort(random.standard_normal(150)), random.lognormal(sigma=1.5, size=150)
    masses = prefix_sums(h)
    start = place("companding", ordered, count, masses)
    centroids, ends = lloyd(ordered, start, prefix_sums(h * ordered), masses, iterations=100)
    found = float((h * (ordered - np.repeat(centroids, np.diff(ends))) ** 2).sum())
    best = optimum(ordered, count, h)
    assert best * (1 - 1e-9) <= found <= 1.3 * best


def test_weighting_by_ones_changes_nothing():
    ordered = np.sort(np.random.RandomState(0).standard_normal(500))
    start = place("companding", ordered, 8)
    for plain, weighted in zip(lloyd(ordered, start), lloyd(ordered, start, masses=np.arange(501.0)), strict=True):
        assert np.array_equal(plain, weighted)


@pytest.mark.parametrize("count", [4, 16, 64])
def test_never_much_worse_than_a_general_clusterer(count):
    values = np.random.RandomState(count).laplace(size=3000)
    ordered = np.sort(values)
    centroids, _ = lloyd(ordered, companding_start(ordered, count))
    general = Clusterer(count, n_init=3, random_state=0).fit(values[:, None])
    assert squared_error(values, centroids) <= 1.1 * general.inertia_


@given(hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-10, 10)), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_each_step_only_lowers_the_error_and_the_intervals_cover_all(values, bits):
    ordered = np.sort(values)
    start = companding_start(ordered, 2**bits)
    previous = squared_error(ordered, start)
    for iterations in range(1, 5):
        centroids, ends = lloyd(ordered, start, iterations=iterations)
        now = squared_error(ordered, centroids)
        assert now <= previous + 1e-9
        assert ends[0] == 0 and ends[-1] == len(ordered) and (np.diff(ends) >= 0).all()
        previous = now


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
