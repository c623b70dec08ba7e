"""Each start is where its definition says, and k-means gets on from all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from labkit import adopt
from labkit.quantization import KMeans
from labkit.quantization.kmeans import lloyd, prefix_sums
from labkit.quantization.starts import STARTS, companding_start, density_start, linear_start, place


def laplace(count=4000, seed=0):
    return np.sort(np.random.RandomState(seed).laplace(size=count))


def test_linear_is_equal_steps_and_density_equal_counts():
    ordered = laplace()
    assert np.allclose(np.diff(linear_start(ordered, 9)), (ordered[-1] - ordered[0]) / 8)
    ends = np.searchsorted(ordered, density_start(ordered, 10))
    assert np.abs(np.diff(ends) - 400).max() <= 1 and ends[0] == 200
    assert linear_start(ordered, 1) == (ordered[0] + ordered[-1]) / 2


def test_companding_follows_the_cube_root_of_the_density():
    """For a Laplace density e^-|x|/2 the integral of its cube root is known: 1 - e^(-x/3) on each side."""
    centroids = companding_start(laplace(400_000), 33)
    reached = 3 * (1 - np.exp(-np.abs(centroids) / 3)) * np.sign(centroids)
    assert np.std(np.diff(reached)[2:-2]) < 0.05 * np.mean(np.diff(reached))


def test_for_many_centroids_companding_is_best_and_linear_the_paper_s_better_one():
    ordered = laplace()

    def error(name):
        centroids, ends = lloyd(ordered, place(name, ordered, 64))
        return float(((ordered - np.repeat(centroids, np.diff(ends))) ** 2).sum())

    assert error("companding") < error("linear") < error("density")


@pytest.mark.parametrize("name", STARTS)
def test_a_weight_that_counts_three_times_starts_like_three_equal_weights(name):
    ordered, counts = laplace(300), np.random.RandomState(1).randint(1, 4, 300)
    repeated = place(name, np.repeat(ordered, counts), 8)
    weighted = place(name, ordered, 8, prefix_sums(counts))
    assert np.abs(repeated - weighted).max() < 0.3


@pytest.mark.parametrize("name", STARTS)
@given(hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(-10, 10, width=32)), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_any_weights_can_be_clustered_from_any_start(name, values, bits):
    ordered = np.sort(values)
    start = place(name, ordered, 2**bits)
    assert 1 <= len(start) <= 2**bits and (np.diff(start) >= 0).all()
    assert ordered[0] - 1e-6 <= start[0] and start[-1] <= ordered[-1] + 1e-6
    centroids, ends = lloyd(ordered, start)
    assert np.isfinite(centroids).all() and ends[0] == 0 and ends[-1] == len(ordered) and (np.diff(ends) >= 0).all()
    if len(np.unique(ordered)) <= 2**bits:
        assert np.allclose(np.repeat(centroids, np.diff(ends)), ordered, atol=1e-12)


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
