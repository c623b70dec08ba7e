"""Entropy-constrained quantization: the cheapest assignment, a sum that only falls, the limits that theory sets."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labkit import zoo
from labkit.clusters import companding_start, lloyd
from labkit.quantization.ecsq import CLOSE, Levels, assign, quantizer, settle
from labkit.storage.huffman import entropy

finite = st.floats(-8, 8).map(lambda x: round(x, 3))


def codes_of(levels, runs):
    codes = np.empty(len(levels.order), np.int64)
    codes[levels.order] = np.repeat(runs.symbols, runs.sizes)
    return codes


def rounded(h):
    return 2.0 ** np.round(np.log2(h))


@st.composite
def problems(draw):
    """Weights, curvatures, centroids, code lengths and a price."""
    count, clusters = draw(st.integers(1, 30)), draw(st.integers(1, 8))
    values = draw(hnp.arrays(np.float64, count, elements=finite))
    h = draw(hnp.arrays(np.float64, count, elements=st.floats(1e-3, 1e3)))
    centroids = np.sort(draw(hnp.arrays(np.float64, clusters, elements=finite, unique=True)))
    lengths = draw(hnp.arrays(np.float64, clusters, elements=st.floats(0.01, 15)))
    return values, h, centroids, lengths, draw(st.sampled_from([0.0, 1e-3, 0.1, 1.0, 30.0]))


@given(problems())
@settings(max_examples=300, deadline=None)
def test_the_assignment_is_as_cheap_as_trying_every_cluster(problem):
    values, h, centroids, lengths, price = problem
    levels = Levels(values, h)
    codes = codes_of(levels, assign(levels, centroids, lengths, price))
    costs = rounded(h)[:, None] * (values[:, None] - centroids) ** 2 + price * lengths
    chosen = costs[np.arange(len(values)), codes]
    assert (chosen <= costs.min(1) * (1 + 1e-9) + 1e-9).all()


@given(problems())
@settings(max_examples=100, deadline=None)
def test_the_sum_only_falls_and_says_what_the_codes_cost(problem):
    values, h, centroids, _, price = problem
    levels = Levels(values, h)
    sums = []
    for iterations in range(1, 6):
        found = settle(levels, centroids, price, iterations)
        codes = codes_of(levels, found.runs)
        error = float(rounded(h) @ (values - found.centroids[codes]) ** 2)
        assert error == pytest.approx(found.error, rel=1e-6, abs=1e-6)
        assert entropy(np.bincount(codes)) == pytest.approx(found.bits, abs=1e-9)
        assert set(codes) == set(range(len(found.centroids))) and (np.diff(found.centroids) > 0).all()
        sums.append(error + price * len(values) * found.bits)
    assert all(after <= before + 1e-6 * (1 + before) for before, after in itertools.pairwise(sums))


def test_where_bits_cost_nothing_it_is_lloyd():
    values = np.random.RandomState(0).laplace(size=2000)
    ordered = np.sort(values)
    start = companding_start(ordered, 8)
    expected, _ = lloyd(ordered, start, iterations=1000)
    found = settle(Levels(values, np.ones(2000)), start, 0.0, 1000)
    assert np.abs(found.centroids - expected).max() < 0.05  # it stops a little earlier


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
def test_normal_weights_come_close_to_the_limit(bits):
    """No code has an error below 2^-2b (Shannon 1948); even cells reach pi e / 6 times that for many bits."""
    values = np.random.RandomState(1).standard_normal(200_000)
    found = quantizer(Levels(values, np.ones(len(values))), bits)
    assert abs(found.bits - bits) <= CLOSE
    times = found.error / values.var() / len(values) * 4**found.bits
    assert 1 < times < 1.02 * math.pi * math.e / 6
    if bits >= 4:
        assert times > 0.97 * math.pi * math.e / 6


def test_even_cells_with_entropy_coding_beat_k_means_with_entropy_coding():
    """Choi 2017's finding: with codes of equal length it is the other way round."""
    values = zoo.load("LeNet-300-100", "MNIST").fc1.weight().detach().double().flatten().numpy()
    ordered = np.sort(values)
    centroids, ends = lloyd(ordered, companding_start(ordered, 32))
    clusters = entropy(np.diff(ends))
    error = float(((ordered - np.repeat(centroids, np.diff(ends))) ** 2).sum())
    steps = np.geomspace(1e-3, 1, 200) * np.ptp(values)
    even = next(
        step for step in steps if entropy(np.unique(np.round(values / step), return_counts=True)[1]) <= clusters
    )
    assert float(((values - np.round(values / even) * even) ** 2).sum()) < error
    equal = np.ptp(values) / 31
    grid = values.min() + np.round((values - values.min()) / equal) * equal
    assert float(((values - grid) ** 2).sum()) > error
    found = quantizer(Levels(values, np.ones(len(values))), clusters - CLOSE)
    assert found.bits <= clusters and found.error < 0.8 * error


@pytest.mark.parametrize("bits", [0.5, 2.5, 6])
def test_heavy_weights_get_the_longer_codewords(bits):
    """The same values twice, the one counting 256 times as much: its error must be smaller, and its codes dearer."""
    values = np.tile(np.random.RandomState(2).standard_normal(20_000), 2)
    h = np.repeat([1.0, 256.0], 20_000)
    levels = Levels(values, h)
    found = quantizer(levels, bits)
    codes = codes_of(levels, found.runs)
    light, heavy = np.split((values - found.centroids[codes]) ** 2, 2)
    assert heavy.mean() < 0.9 * light.mean()
    lengths = -np.log2(np.bincount(codes) / len(codes))
    cheap, dear = np.split(lengths[codes], 2)
    assert dear.mean() > cheap.mean()


@pytest.mark.parametrize("values", [np.zeros(5), np.full(3, 2.5), np.array([1.0]), np.tile([-1.0, 0.0, 4.0], 40)])
def test_few_different_values_are_kept_where_there_are_bits_for_them(values):
    levels = Levels(values, np.ones(len(values)))
    found = quantizer(levels, 6)
    assert np.allclose(found.centroids[codes_of(levels, found.runs)], values)


@given(hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(-100, 100, width=32)), st.floats(0.1, 6))
@settings(max_examples=50, deadline=None)
def test_any_weights_get_a_codebook(values, bits):
    values = values.astype(np.float64)
    levels = Levels(values, np.random.RandomState(0).lognormal(size=len(values)))
    found = quantizer(levels, bits)
    assert len(codes_of(levels, found.runs)) == len(values) == found.runs.sizes.sum()
    assert np.isfinite(found.centroids).all() and 0 <= found.bits <= math.log2(len(values)) + 1e-9
