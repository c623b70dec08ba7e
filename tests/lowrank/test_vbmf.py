"""VBMF against the free energy minimised by brute force, and on matrices whose rank and noise are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from labkit.lowrank.vbmf import free_energy, larger_root, least_x, noise_variance, psi_1, signal, vbmf


def noisy(rows, columns, rank, noise, seed):
    """A product of Gaussian factors plus Gaussian noise, and the product itself."""
    random = np.random.RandomState(seed)
    product = random.randn(rows, rank) @ random.randn(rank, columns)
    return torch.from_numpy(product + noise**0.5 * random.randn(rows, columns)), product


def least_energy(g, short, long):
    """Minimise one direction's free energy over means, variances and prior of its two factors, at unit noise.

    Returns twice that energy, which is 0 for a direction that is dropped, and the product of the two means.
    """

    def energy(at):
        a, b = at[:2]
        var_a, var_b, prior = np.exp(at[2:])
        both_a, both_b = a**2 + long * var_a, b**2 + short * var_b
        spread = long * np.log(prior / var_a) + short * np.log(prior / var_b) + (both_a + both_b) / prior
        return spread - short - long - 2 * a * b * g + both_a * both_b

    starts = [(size, size, -1, -1, 0) for size in (0.5 * g**0.5, g**0.5)]
    best = min((minimize(energy, start, method="BFGS") for start in starts), key=lambda found: found.fun)
    return best.fun, best.x[0] * best.x[1]


@pytest.mark.parametrize("short, long", [(5, 5), (4, 12), (3, 60)])
def test_what_is_kept_and_how_far_it_shrinks_is_the_least_free_energy(short, long):
    alpha = short / long
    edge = (long * least_x(alpha)) ** 0.5
    for g in (1.02 * edge, 1.3 * edge, 3 * edge):
        x = g**2 / long
        energy, product = least_energy(g, short, long)
        assert energy == pytest.approx(long * psi_1(larger_root(x, alpha), alpha), rel=1e-4) and energy < 0
        assert product == pytest.approx(g * larger_root(x, alpha) / x, rel=1e-3)
    assert least_energy(0.98 * edge, short, long)[0] > -1e-6


@pytest.mark.parametrize("alpha", [1.0, 0.5, 0.1, 0.01])
def test_the_root_solves_its_equation(alpha):
    x = np.linspace((1 + alpha**0.5) ** 2, 40, 50)
    t = larger_root(x, alpha)
    np.testing.assert_allclose((1 + t) * (1 + alpha / t), x)
    assert np.all(t >= alpha**0.5 - 1e-6) and psi_1(larger_root(least_x(alpha), alpha), alpha) == pytest.approx(0)


def test_a_square_matrix_has_the_papers_constant():
    assert larger_root(least_x(1.0), 1.0) == pytest.approx(2.5129, abs=5e-5)


@pytest.mark.parametrize("rows, columns", [(20, 500), (40, 120), (120, 40), (60, 60), (16, 144)])
@pytest.mark.parametrize("rank", [0, 1, 4])
def test_rank_and_noise_are_recovered(rows, columns, rank):
    for seed in range(10):
        matrix, _ = noisy(rows, columns, rank, 0.25, seed)
        found = vbmf(matrix)
        assert found.rank == rank
        assert found.noise == pytest.approx(0.25, rel=5 / (rows * columns) ** 0.5)


@given(st.integers(2, 30), st.integers(2, 30), st.integers(0, 4), st.floats(1e-3, 10), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_turning_and_scaling_change_nothing(rows, columns, rank, noise, seed):
    matrix, _ = noisy(rows, columns, rank, noise, seed)
    found, turned, scaled = vbmf(matrix), vbmf(matrix.mT), vbmf(1e-3 * matrix)
    assert found.rank == turned.rank == scaled.rank
    assert found.noise == pytest.approx(turned.noise, rel=1e-6) == pytest.approx(1e6 * scaled.noise, rel=1e-6)
    np.testing.assert_allclose(found.shrunk, turned.shrunk, rtol=1e-6)
    np.testing.assert_allclose(found.shrunk, 1e3 * scaled.shrunk, rtol=1e-6)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 6), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_the_noise_is_the_global_minimum_and_the_rank_below_its_bound(rows, columns, rank, seed):
    matrix, _ = noisy(rows, columns, rank, 0.5, seed)
    (short, long), s = sorted((rows, columns)), torch.linalg.svdvals(matrix).numpy()
    found = signal(s, (rows, columns))
    squares, alpha = s**2 / long, short / long
    best = free_energy(squares / noise_variance(squares, alpha), alpha)
    tried = squares.mean() * np.geomspace(1e-4, 1, 3000)[:, None]
    inside = tried[tried[:, 0] >= squares[max(0, int(np.ceil(short / (1 + alpha))) - 1) :].mean()]
    assert np.all(free_energy(squares / inside, alpha) >= best - 1e-6)
    assert found.rank < max(1, short / (1 + alpha)) and found.rank == np.sum(s > found.threshold)


def test_shrinking_comes_nearer_to_the_truth_than_cutting():
    for seed in range(5):
        matrix, product = noisy(40, 100, 5, 9.0, seed)
        found = vbmf(matrix)
        u, s, v = np.linalg.svd(matrix.numpy(), full_matrices=False)
        cut, shrunk = ((u[:, : found.rank] * part) @ v[: found.rank] for part in (s[: found.rank], found.shrunk))
        assert np.linalg.norm(shrunk - product) < np.linalg.norm(cut - product)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_matrix_without_noise_has_its_rank(dtype):
    product = torch.randn(30, 3, dtype=dtype) @ torch.randn(3, 50, dtype=dtype)
    found = vbmf(product)
    assert found.rank == 3 and found.noise < 1e-8
    np.testing.assert_allclose(found.shrunk, torch.linalg.svdvals(product)[:3], rtol=1e-5)


@pytest.mark.parametrize("matrix", [torch.zeros(4, 6), torch.ones(1, 1), torch.randn(1, 30), torch.randn(30, 1)])
def test_where_nothing_can_be_told_the_rank_is_zero(matrix):
    found = vbmf(matrix)
    assert found.rank == 0 and len(found.shrunk) == 0 and np.isfinite(found.noise)


@pytest.mark.parametrize("matrix", [torch.zeros(0, 3), torch.zeros(3), torch.zeros(2, 2, 2)])
def test_only_matrices_are_taken(matrix):
    with pytest.raises(ValueError, match="needs a matrix with rows and columns"):
        vbmf(matrix)


def test_damaged_numbers_are_named():
    with pytest.raises(ValueError, match="NaN or infinite"):
        vbmf(torch.tensor([[1.0, float("nan")]]))
