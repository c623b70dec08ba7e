"""Our one-dimensional Lloyd is never worse than a general clusterer, and near the optimum."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.cluster import KMeans as Clusterer
from torch import nn

from labkit import adopt
from labkit.quantization import KMeans
from labkit.quantization.kmeans import companding_start, lloyd


def squared_error(values, centroids):
    return float(np.min((values[:, None] - centroids[None]) ** 2, axis=1).sum())


def optimum(values, count):
    """The least squared error of any clustering, by dynamic programming over the sorted values."""
    values = np.sort(values)
    n = len(values)
    sums, squares = (np.concatenate([[0], np.cumsum(values**power)]) for power in (1, 2))

    def cost(a, b):
        return squares[b] - squares[a] - (sums[b] - sums[a]) ** 2 / (b - a)

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
