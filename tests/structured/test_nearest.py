"""The nearest structured matrix is what a brute force finds, a drawn one has its size, and the knobs offer what pays.

The brute force writes each structure out as a linear map from its numbers to the entries, and asks numpy's lstsq.
"""

import itertools

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.structured import (
    METHODS,
    RIVALS,
    BlockCirculant,
    Circulant,
    Fastfood,
    Monarch,
    ToeplitzLike,
    displacement,
    fastfood,
)

SIDES = st.integers(1, 9)
SEEDS = st.integers(0, 1000)
LAYERS = [method for method in METHODS + RIVALS if method.__name__ != "Narrower"]  # which draws networks, not matrices
DIALS = (BlockCirculant, ToeplitzLike, Monarch)
brute = settings(max_examples=40, deadline=None)


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randn(*shape)


def found(method: type, matrix: np.ndarray, value: float = 1, seed: int = 0) -> np.ndarray:
    weight = method().nearest(torch.from_numpy(matrix).float(), value, seed)
    assert weight.shape == matrix.shape
    return weight().detach().double().numpy()


def best(basis: list[np.ndarray], matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the combination of the basis that is nearest to a matrix, and its numbers, the shortest that there are."""
    design = np.stack([one.ravel() for one in basis], 1)
    numbers = np.linalg.lstsq(design, matrix.ravel(), rcond=None)[0]
    return (design @ numbers).reshape(matrix.shape), numbers


def circulants(shape: tuple[int, int], b: int) -> list[np.ndarray]:
    """One matrix for each number of each tile, with ones where it stands."""
    p, q = (-(-side // b) for side in shape)
    tiles = [np.outer(row, column).reshape(p, q) for row in np.eye(p) for column in np.eye(q)]
    return [np.kron(tile, scipy.linalg.circulant(one))[: shape[0], : shape[1]] for tile in tiles for one in np.eye(b)]


def z(column: np.ndarray, f: int) -> np.ndarray:
    """Z_f: below the diagonal a Toeplitz matrix, above it f times what comes round."""
    return scipy.linalg.toeplitz(column, np.concatenate([column[:1], f * column[:0:-1]]))


def product(g: torch.Tensor, h: torch.Tensor) -> np.ndarray:
    """Write out 1/2 sum_i Z_1(g_i) Z_-1(h_i)."""
    return sum(z(one.numpy(), 1) @ z(two.numpy(), -1) for one, two in zip(g, h, strict=True)) / 2


@given(SIDES, SIDES, SEEDS)
@brute
def test_circulant_is_the_least_squares_fit_behind_the_signs(out, in_, seed):
    matrix = drawn(out, in_, seed=seed)
    signs = Circulant().nearest(torch.from_numpy(matrix).float(), 1, seed).signs().numpy()
    expected, _ = best([one * signs for one in circulants((out, in_), in_)], matrix)
    np.testing.assert_allclose(found(Circulant, matrix, seed=seed), expected, atol=1e-5)


@given(SIDES, SIDES, st.sampled_from([1, 2, 3, 4, 8, 16]), SEEDS)
@brute
def test_block_circulant_is_the_least_squares_fit_of_all_tiles(out, in_, b, seed):
    matrix = drawn(out, in_, seed=seed)
    expected, numbers = best(circulants((out, in_), b), matrix)
    weight = BlockCirculant().nearest(torch.from_numpy(matrix).float(), b, 0)
    np.testing.assert_allclose(weight().detach(), expected, atol=1e-5)
    np.testing.assert_allclose(weight.columns().detach().flatten(), numbers, atol=1e-5)  # 0 for what is cut off


@given(SIDES, SIDES, st.integers(1, 4), SEEDS)
@brute
def test_monarch_is_the_best_rank_one_of_each_slice(out, in_, b, seed):
    matrix, expected = drawn(out, in_, seed=seed), np.zeros((out, in_))
    rows, columns = -(-out // b), -(-in_ // b)
    for top in range(0, out, rows):
        for left in range(0, in_, columns):
            u, s, v = np.linalg.svd(matrix[top : top + rows, left : left + columns])
            expected[top : top + rows, left : left + columns] = s[0] * np.outer(u[:, 0], v[0])
    np.testing.assert_allclose(found(Monarch, matrix, b), expected, atol=1e-5)


def test_no_start_of_alternating_least_squares_finds_a_nearer_monarch():
    matrix, ends = drawn(6, 4), []
    units = np.eye(8).reshape(8, 2, 2, 2), np.eye(12).reshape(12, 2, 3, 2)
    for seed in range(5):
        first = drawn(2, 2, 2, seed=seed)
        for _ in range(100):
            whole, numbers = best([np.einsum("jlk,kji->jlki", one, first).reshape(6, 4) for one in units[1]], matrix)
            second = numbers.reshape(2, 3, 2)
            whole, numbers = best([np.einsum("jlk,kji->jlki", second, one).reshape(6, 4) for one in units[0]], matrix)
            first = numbers.reshape(2, 2, 2)
        ends.append(np.linalg.norm(matrix - whole))
    assert min(ends) == pytest.approx(np.linalg.norm(matrix - found(Monarch, matrix, 2)), rel=1e-5)


@given(st.integers(1, 7), st.integers(1, 3), SEEDS)
@brute
def test_each_step_towards_a_toeplitz_like_matrix_is_a_least_squares_fit(n, rank, seed):
    matrix, given_ = drawn(n, n, seed=seed), drawn(rank, n, seed=seed + 1)
    for_g = [z(one, 1) @ z(h, -1) / 2 for h in given_ for one in np.eye(n)]
    for_h = [z(g, 1) @ z(one, -1) / 2 for g in given_ for one in np.eye(n)]
    c, twist, other = displacement.cauchy(n), displacement.twisting(n), torch.from_numpy(given_)
    wanted = 2 * displacement.to_spectrum(torch.from_numpy(matrix), twist)
    g = torch.fft.ifft(displacement.solve(c, torch.fft.fft(other * twist).mT, wanted).mT)
    h = torch.fft.ifft(displacement.solve(c.mT, torch.fft.fft(other + 0j).mT, wanted.mT).mT) * twist.conj()
    for basis, pair in ((for_g, (g, other)), (for_h, (other, h))):
        left = np.linalg.norm(matrix - best(basis, matrix)[0])
        assert np.linalg.norm(matrix - product(*(one.real for one in pair))) == pytest.approx(left, rel=1e-4, abs=1e-4)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 3), SEEDS)
@brute
def test_no_round_takes_a_toeplitz_like_matrix_further_away(out, in_, rank, seed):
    matrix = torch.from_numpy(drawn(out, in_, seed=seed))
    pairs = [displacement.nearest(matrix, rank, rounds) for rounds in (0, 1, 2, 3, 6, 12)]
    lost = [
        np.linalg.norm(matrix.numpy() - product(*pair)[:out, :in_]) / np.linalg.norm(matrix.numpy()) for pair in pairs
    ]
    assert all(after <= before + 1e-6 for before, after in itertools.pairwise(lost))


@pytest.mark.parametrize("n", [2, 5, 8])
def test_toeplitz_like_matrices_are_found_again(n):
    toeplitz = scipy.linalg.toeplitz(drawn(n) + np.eye(n)[0] * 2 * n, drawn(n, seed=1))  # so that it has an inverse
    for matrix, rank in (
        (scipy.linalg.circulant(drawn(n)), 1),
        (toeplitz, 2),
        (np.linalg.inv(toeplitz), 2),
        (drawn(n, n), n),
    ):
        np.testing.assert_allclose(found(ToeplitzLike, matrix, rank), matrix, atol=1e-5)


def test_a_higher_rank_keeps_more_of_any_matrix():
    matrix = drawn(8, 8)
    lost = [np.linalg.norm(matrix - found(ToeplitzLike, matrix, rank)) for rank in (1, 2, 4, 8)]
    assert lost[0] > 0.5 * np.linalg.norm(matrix) and all(np.diff(lost) < 0) and lost[-1] < 1e-4


@pytest.mark.parametrize("shape", [(4, 6), (6, 4)])
def test_enough_rounds_find_the_corner_of_a_toeplitz_matrix(shape):
    matrix = torch.from_numpy(scipy.linalg.toeplitz(drawn(shape[0]), drawn(shape[1], seed=1)))
    whole = product(*displacement.nearest(matrix, 2, 1000))
    np.testing.assert_allclose(whole[: shape[0], : shape[1]], matrix, atol=1e-3)


def test_both_factors_of_a_toeplitz_like_matrix_are_of_one_size():
    weight = ToeplitzLike().nearest(100 * torch.randn(5, 5, generator=torch.Generator().manual_seed(0)), 2, 0)
    assert weight.g().norm().item() == pytest.approx(weight.h().norm().item(), rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_zeros_are_nearest_to_zeros(method):
    assert not found(method, np.zeros((5, 3)), 2).any()


@pytest.mark.parametrize("method", METHODS)
def test_matrices_with_empty_rows_have_a_nearest_one(method):
    for matrix in (np.ones((4, 4)), np.eye(1, 8).repeat(4, 0), np.vstack([np.zeros((4, 4)), drawn(4, 4)])):
        nearest = found(method, matrix, 2)
        assert np.isfinite(nearest).all() and np.linalg.norm(matrix - nearest) <= 1.001 * np.linalg.norm(matrix)


@given(st.integers(1, 8), st.integers(1, 8), SEEDS)
@brute
def test_fastfood_takes_turns_in_least_squares_fits(rows, columns, seed):
    d, matrix = 8, drawn(rows, columns, seed=seed)
    order, b = np.random.RandomState(seed).permutation(d), np.sign(drawn(d, seed=seed))
    h = scipy.linalg.hadamard(d) / d**0.5
    p = np.eye(d)[order]
    s, lost = np.ones(d), []

    def made(s, g, b):
        return (np.diag(s) @ h @ np.diag(g) @ p @ h @ np.diag(b))[:rows, :columns]

    for rounds in (1, 2, 3):
        g = best([made(s, one, b) for one in np.eye(d)], matrix)[1]
        s[:rows] = best([made(one, g, b) for one in np.eye(d)[:rows]], matrix)[1]
        b[:columns] = best([made(s, g, one) for one in np.eye(d)[:columns]], matrix)[1]
        start = torch.from_numpy(np.sign(drawn(d, seed=seed)))
        ours = fastfood.nearest(torch.from_numpy(matrix), torch.from_numpy(order), start, rounds)
        np.testing.assert_allclose(made(*(one.numpy() for one in ours)), made(s, g, b), atol=1e-3)
        lost.append(np.linalg.norm(matrix - made(*(one.numpy() for one in ours))))
    assert lost[1] <= lost[0] + 1e-6 and lost[2] <= lost[1] + 1e-6


def test_a_drawn_fastfood_is_found_again():
    weight = Fastfood("random").draw((20, 6), 1, 0.3, torch.Generator().manual_seed(7))
    matrix = weight().detach().double().numpy()
    np.testing.assert_allclose(found(Fastfood, matrix, seed=7), matrix, atol=1e-5)
