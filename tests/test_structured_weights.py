"""Each structured Weight is the matrix that scipy writes out, and its fast product has that matrix's gradients."""

import copy
import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from labkit.layers import Linear
from labkit.storage import load, save
from labkit.weights import BlockCirculant, Circulant, Codebook, Fastfood, Monarch, ToeplitzLike, Weight
from labkit.weights.circulant import signs
from labkit.weights.fastfood import diagonals, hadamard, orders, transform
from labkit.weights.spectra import fft_macs
from labkit.weights.toeplitz import displacement, f_circulant, shift

KINDS = ("circulant", "block", "toeplitz", "fastfood", "monarch")
SIDES = st.integers(1, 17)
brute = settings(max_examples=60, deadline=None)


def drawn(*shape, seed=0):
    return torch.from_numpy(np.random.RandomState(seed).randn(*shape))


def made(kind: str, out: int, in_: int, seed: int = 0) -> Weight:
    """Draw a structured matrix of any shape, in float64."""
    random = np.random.RandomState(seed)
    if kind == "circulant":
        return Circulant(drawn(-(-out // in_), in_, seed=seed), seed, (out, in_))
    if kind == "block":
        b = random.randint(1, 12)
        return BlockCirculant(drawn(-(-out // b), -(-in_ // b), b, seed=seed), (out, in_))
    if kind == "toeplitz":
        return ToeplitzLike(*drawn(2, random.randint(1, 4), max(out, in_), seed=seed), (out, in_))
    if kind == "fastfood":
        return Fastfood(*drawn(3, *diagonals(out, in_), seed=seed), seed, (out, in_))
    fitting = [b for b in (1, 2, 3, 4) if all(side > b * (-(-side // b) - 1) and b <= side for side in (out, in_))]
    b = fitting[random.randint(len(fitting))]
    return Monarch(drawn(b, b, -(-in_ // b), seed=seed), drawn(b, -(-out // b), b, seed=seed + 1), (out, in_))


def numpy(tensor):
    return tensor.detach().numpy()


@pytest.mark.parametrize("kind", KINDS)
@given(SIDES, SIDES, st.integers(0, 99))
@brute
def test_the_product_and_its_gradients_are_those_of_the_matrix(kind, out, in_, seed):
    weight = made(kind, out, in_, seed)
    assert weight().shape == weight.shape == (out, in_)
    x, bias, dy = drawn(3, in_, seed=1).requires_grad_(), drawn(out, seed=2), drawn(3, out, seed=3)
    inputs = [x, *weight.parameters()]
    fast, dense = weight.linear(x, bias), F.linear(x, weight(), bias)
    torch.testing.assert_close(fast, dense)
    for one, other in zip(*(torch.autograd.grad(y, inputs, dy) for y in (fast, dense)), strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(weight.linear(x[0]), dense[0] - bias)
    torch.testing.assert_close(weight.linear(x.view(3, 1, in_)), (dense - bias).view(3, 1, out))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_by_finite_differences(kind):
    weight = made(kind, 5, 7, 1)
    names = [name for name, _ in weight.named_parameters()]

    def product(x, *numbers):
        return torch.func.functional_call(
            Linear(weight), {f"weight.{n}": v for n, v in zip(names, numbers, strict=True)}, x
        )

    given_ = [drawn(2, 7).requires_grad_(), *(p.detach().requires_grad_() for p in weight.parameters())]
    assert torch.autograd.gradcheck(product, given_)


@pytest.mark.parametrize(("out", "d"), [(3, 5), (5, 5), (7, 5), (12, 4), (1, 1)])
def test_circulant_is_scipys_behind_signs_with_outputs_below_and_above_d(out, d):
    columns = drawn(-(-out // d), d)
    expected = np.vstack([scipy.linalg.circulant(column) for column in columns.numpy()])[:out]
    np.testing.assert_allclose(numpy(Circulant(columns, 7, (out, d))()), expected * signs(7, d).numpy())


def test_signs_are_fair_and_never_change():
    assert signs(0, 8).tolist() == [1.0, -1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0]
    assert abs(float(signs(1, 10_000).mean())) < 4 / 100


@given(SIDES, SIDES, st.integers(1, 12))
@brute
def test_block_circulant_has_scipys_circulants_as_tiles(out, in_, b):
    p, q = -(-out // b), -(-in_ // b)
    columns = drawn(p, q, b)
    tiles = [[scipy.linalg.circulant(columns[j, k].numpy()) for k in range(q)] for j in range(p)]
    np.testing.assert_allclose(numpy(BlockCirculant(columns, (out, in_))()), np.block(tiles)[:out, :in_])


@given(st.integers(1, 12), st.sampled_from([1, -1, 0.5]))
@brute
def test_f_circulants_are_polynomials_of_the_shift(n, f):
    column = drawn(n)
    z = numpy(shift(n, f)).astype(float)
    expected = sum(c * np.linalg.matrix_power(z, power) for power, c in enumerate(column.numpy()))
    np.testing.assert_allclose(numpy(f_circulant(column, f)), expected, atol=1e-12)


@given(st.integers(1, 12), st.integers(1, 3))
@brute
def test_the_displacement_is_what_g_and_h_say(n, rank):
    g, h = drawn(2, rank, n)
    found = displacement(ToeplitzLike(g, h, (n, n))().detach())
    np.testing.assert_allclose(found, g.T @ h.flip(1), atol=1e-10)
    z = [numpy(shift(n, f)).astype(float) for f in (1, -1)]
    matrix = numpy(ToeplitzLike(g, h, (n, n))())
    np.testing.assert_allclose(found, z[0] @ matrix - matrix @ z[1], atol=1e-10)


@pytest.mark.parametrize("n", [2, 5, 9])
def test_toeplitz_matrices_and_their_inverses_have_displacement_rank_two(n):
    toeplitz = scipy.linalg.toeplitz(drawn(n).numpy() + 9 * np.eye(n)[0], drawn(n, seed=1).numpy())
    for matrix in (toeplitz, np.linalg.inv(toeplitz)):
        left = displacement(torch.from_numpy(matrix))
        u, s, v = np.linalg.svd(left.numpy())
        assert s[2:].max(initial=0) < 1e-10 * s[0]
        g, h = u[:, :2].T * s[:2, None], v[:2, ::-1].copy()
        again = ToeplitzLike(torch.from_numpy(g), torch.from_numpy(h), (n, n))
        np.testing.assert_allclose(numpy(again()), matrix, atol=1e-10)  # the displacement says the whole matrix


@pytest.mark.parametrize("d", [1, 2, 8, 64, 128])
def test_the_transform_is_scipys_hadamard_matrix(d):
    h = scipy.linalg.hadamard(d)
    np.testing.assert_array_equal(hadamard(d), h)
    x = drawn(3, d)
    np.testing.assert_allclose(transform(x), x.numpy() @ h / math.sqrt(d), atol=1e-12)
    np.testing.assert_allclose(transform(transform(x)), x, atol=1e-12)


@pytest.mark.parametrize(("out", "in_"), [(8, 8), (5, 6), (20, 8)])
def test_fastfood_is_the_product_of_its_six_matrices(out, in_):
    blocks, d = diagonals(out, in_)
    s, g, b = drawn(3, blocks, d)
    h, rows = scipy.linalg.hadamard(d) / math.sqrt(d), []
    for block in range(blocks):
        p = np.eye(d)[orders(3, blocks, d)[block]]
        rows.append(np.diag(s[block]) @ h @ np.diag(g[block]) @ p @ h @ np.diag(b[block]))
    np.testing.assert_allclose(numpy(Fastfood(s, g, b, 3, (out, in_))()), np.vstack(rows)[:out, :in_], atol=1e-12)


def test_permutations_have_every_place_once_and_never_change():
    found = orders(0, 2, 8)
    assert all(sorted(order) == list(range(8)) for order in found.tolist()) and not torch.equal(found[0], found[1])
    assert orders(1, 1, 6).tolist() == [[4, 3, 0, 1, 5, 2]]


@pytest.mark.parametrize("b", [1, 2, 4])
def test_monarch_has_blocks_of_rank_one_and_rank_b_squared_in_all(b):
    weight = Monarch(drawn(b, b, 20), drawn(b, 20, b, seed=1), (20 * b, 20 * b))
    matrix = numpy(weight())
    assert np.linalg.matrix_rank(matrix) == b**2
    slices = matrix.reshape(b, 20, b, 20).swapaxes(1, 2).reshape(-1, 20, 20)
    assert all(np.linalg.matrix_rank(one) == 1 for one in slices)
    first = scipy.linalg.block_diag(*weight.first.values.detach().numpy())
    second = scipy.linalg.block_diag(*weight.second.values.detach().numpy())
    shuffle = np.eye(b * b)[np.arange(b * b).reshape(b, b).T.ravel()]
    np.testing.assert_allclose(matrix, second @ shuffle @ first, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_computes_the_same_copies_and_does_not_learn(kind):
    weight = made(kind, 12, 9, 3).float()
    x = torch.randn(4, 9)
    fixed = weight.frozen()
    torch.testing.assert_close(fixed.linear(x), weight.linear(x))
    torch.testing.assert_close(copy.deepcopy(fixed).linear(x), weight.linear(x))
    with torch.no_grad():
        next(weight.parameters()).mul_(2)
    assert not torch.allclose(fixed.linear(x), weight.linear(x))


@pytest.mark.parametrize("kind", KINDS)
def test_evaluated_first_and_trained_later(kind):
    weight = made(kind, 12, 9, 3).float()
    hadamard.cache_clear()
    with torch.inference_mode():
        weight.linear(torch.randn(4, 9))
    weight.linear(torch.randn(4, 9)).sum().backward()
    assert all(one.grad is not None for one in weight.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_holds_the_numbers_and_nothing_of_chance(kind, tmp_path):
    weight = made(kind, 64, 128, 2).float()
    network = torch.nn.Sequential(Linear(weight))
    written = save(network, tmp_path / "one.safetensors")
    again = load(tmp_path / "one.safetensors", into=torch.nn.Sequential(torch.nn.Linear(128, 64, bias=False)))
    assert torch.equal(again[0].weight(), weight()) and torch.equal(again(torch.eye(128)), network(torch.eye(128)))
    assert written < 4 * sum(one.numel() for one in weight.parameters()) + 250


def test_numbers_may_be_any_weight():
    codes = torch.tensor([[0, 1, 2, 1]])
    weight = Circulant(Codebook(codes, torch.tensor([1.0, 2.0, 3.0])), 0, (4, 4))
    plain = Circulant(torch.tensor([[1.0, 2.0, 3.0, 2.0]]), 0, (4, 4))
    assert torch.equal(weight(), plain()) and torch.equal(weight.linear(torch.eye(4)), plain.linear(torch.eye(4)))
    assert [path for path, _ in weight.leaves("fc1.weight")] == ["fc1.weight.columns"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Circulant(drawn(1, 5), 0, (6, 5)), "out / in rounded up"),
        (lambda: Circulant(drawn(5), 0, (5, 5)), "out / in rounded up"),
        (lambda: Circulant(drawn(1, 5), -1, (5, 5)), "seed is -1"),
        (lambda: BlockCirculant(drawn(2, 2, 4), (9, 8)), "out / b, in / b, b"),
        (lambda: BlockCirculant(drawn(0, 2, 4), (0, 8)), "out / b, in / b, b"),
        (lambda: ToeplitzLike(drawn(2, 5), drawn(1, 5), (5, 5)), "must both be"),
        (lambda: ToeplitzLike(drawn(2, 5), drawn(2, 5), (5, 6)), "larger side"),
        (lambda: ToeplitzLike(drawn(1, 20_000), drawn(1, 20_000), (1, 20_000)), "at most 16384"),
        (lambda: Fastfood(*drawn(3, 1, 5), 0, (5, 5)), "power of two"),
        (lambda: Fastfood(*drawn(3, 1, 8), 1.5, (5, 5)), "seed is 1.5"),
        (lambda: Monarch(drawn(2, 3, 4), drawn(2, 3, 2), (6, 8)), "must be"),
        (lambda: Monarch(drawn(2, 2, 4), drawn(2, 3, 2), (6, 9)), "rounded up"),
        (lambda: hadamard(6), "power of two"),
        (lambda: displacement(drawn(2, 3)), "square"),
    ],
)
def test_mistakes_are_named(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()


def test_a_file_of_few_numbers_cannot_ask_for_much_memory():
    """Rows or columns that are cut off are never written out: a million squared would be 4 TB."""
    long = 2**20
    for weight in (
        Circulant(torch.ones(1, long), 0, (1, long)),
        BlockCirculant(torch.ones(1, 1, long), (1, 2)),
        BlockCirculant(torch.ones(1, 1, long), (2, 1)),
        Fastfood(*torch.ones(3, 1, long), 0, (1, long)),
    ):
        assert weight().shape == weight.shape


def test_multiplications_grow_as_n_log_n():
    assert fft_macs(1) == 0 and fft_macs(1024) == 10_240
    for n in (256, 4096):
        small = Circulant(torch.ones(1, n), 0, (n, n)).macs()
        assert 2 * n * math.log2(n) < small < 2 * n * math.log2(n) + 3 * n < n * n
    assert Monarch(torch.ones(4, 4, 25), torch.ones(4, 25, 4), (100, 100)).macs() == 800
