"""Our one-dimensional Lloyd is never worse than a general clusterer, and near the optimum, from every start."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.cluster import KMeans as Clusterer

from labkit.clusters import STARTS, companding_start, density_start, linear_start, lloyd, place, prefix_sums


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
