"""The tensor train against tensorly, against a TT-SVD in numpy, and against counts by brute force."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorly import tt_matrix_to_matrix
from tensorly.decomposition import tensor_train_matrix
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from labkit import adopt, data, layers, storage, zoo
from labkit.lowrank import TensorTrain
from labkit.lowrank.tensortrain import alike, modes
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.train import Recipe
from labkit.weights import Dense
from labkit.weights import TensorTrain as TensorTrainWeight

sides = st.tuples(st.sampled_from([4, 6, 8, 12, 18, 7]), st.sampled_from([8, 12, 16, 27, 30, 5]))


def random_matrix(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def fitted(matrix):
    return TensorTrain().fit(Dense(matrix))


def built(cores, shape):
    return TensorTrainWeight(*cores, tuple(shape))().detach()


def squared(difference):
    return float(difference.detach().double().square().sum())


def by_numpy(matrix, rank):
    """The TT-SVD as the paper writes it: the matrix that it makes, and the squares of what each SVD cut off."""
    rows, columns = modes(matrix.shape[0], 3), modes(matrix.shape[1], 3)
    (m1, m2, m3), (n1, n2, n3) = rows, columns
    tensor = matrix.reshape(m1, m2, m3, n1, n2, n3).transpose(0, 3, 1, 4, 2, 5)
    u, s, v = np.linalg.svd(tensor.reshape(m1 * n1, -1), full_matrices=False)
    a = min(rank, len(s))
    first, tails = u[:, :a], [np.sum(s[a:] ** 2)]
    u, s, v = np.linalg.svd((np.diag(s[:a]) @ v[:a]).reshape(a * m2 * n2, -1), full_matrices=False)
    b = min(rank, len(s))
    tails.append(np.sum(s[b:] ** 2))
    last = (u[:, :b] * s[:b]) @ v[:b]
    tensor = (first @ last.reshape(a, -1)).reshape(m1, n1, m2, n2, m3, n3).transpose(0, 2, 4, 1, 3, 5)
    return tensor.reshape(matrix.shape), tails


@given(sides, st.integers(1, 20), st.integers(0, 1000))
@settings(max_examples=80, deadline=None)
def test_it_is_the_tt_svd_and_the_squared_error_is_the_sum_of_what_is_cut_off(shape, rank, seed):
    matrix = random_matrix(shape, seed)
    fit = fitted(matrix)
    cut = built(fit.cores(rank), shape)
    expected, tails = by_numpy(matrix.numpy(), rank)
    np.testing.assert_allclose(cut, expected, atol=1e-9)
    assert squared(matrix - cut) == pytest.approx(sum(tails), abs=1e-9)
    assert fit.energy(rank) == pytest.approx(1 - sum(tails) / squared(matrix), abs=1e-9)


@given(sides, st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_error_is_at_least_each_unfoldings_and_at_most_all_of_them(shape, seed):
    matrix = random_matrix(shape, seed)
    fit = fitted(matrix)
    m, n = fit.rows, fit.columns
    tensor = matrix.numpy().reshape(*m, *n).transpose(0, 3, 1, 4, 2, 5)
    unfoldings = tensor.reshape(m[0] * n[0], -1), tensor.reshape(-1, m[2] * n[2])
    errors = []
    for rank in range(1, max(fit.full) + 1):
        tails = [np.sum(np.linalg.svd(unfolding, compute_uv=False)[rank:] ** 2) for unfolding in unfoldings]
        errors.append(squared(matrix - built(fit.cores(rank), shape)))
        assert max(tails) - 1e-9 <= errors[-1] <= sum(tails) + 1e-9
    assert errors[-1] < 1e-18 * squared(matrix)  # at full rank, nothing is lost


@pytest.mark.parametrize("rank", [1, 3, 6, 50])
@pytest.mark.parametrize("shape", [(12, 30), (27, 8), (64, 36)])
def test_it_is_tensorlys_tensor_train_matrix(shape, rank):
    matrix = random_matrix(shape)
    fit = fitted(matrix)
    theirs = tensor_train_matrix(matrix.numpy().reshape(*fit.rows, *fit.columns), rank)
    np.testing.assert_allclose(built(fit.cores(rank), shape), tt_matrix_to_matrix(theirs), atol=1e-9)
    assert [tuple(core.shape) for core in fit.cores(rank)] == [core.shape for core in theirs.factors]


@given(sides)
@settings(max_examples=40, deadline=None)
def test_the_top_rank_is_the_last_that_stores_fewer_numbers(shape):
    fit = fitted(random_matrix(shape).float())
    for rank in range(1, max(fit.full) + 2):
        stored = sum(core.numel() for core in fit.cores(rank))
        weight = fit.at(rank)
        assert stored == fit.count(rank) and (weight is not None) == (stored < math.prod(shape)) == (rank <= fit.top)


@given(st.integers(1, 400), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_modes_multiply_to_the_side_and_have_the_least_sum(n, d):
    def splits(n, d):
        """All ways to write n as a product of d numbers."""
        if d == 1:
            return [(n,)]
        return [(k, *rest) for k in range(1, n + 1) if n % k == 0 for rest in splits(n // k, d - 1)]

    found = modes(n, d)
    assert math.prod(found) == n and len(found) == d and list(found) == sorted(found)
    assert sum(found) == min(map(sum, splits(n, d)))


@given(st.integers(1, 4), st.integers(1, 4), st.lists(st.integers(1, 4), min_size=6, max_size=6), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_linear_is_the_dense_product_and_takes_the_multiplications_that_it_says(a, b, digits, seed):
    torch.manual_seed(seed)
    (m1, m2, m3), (n1, n2, n3) = digits[:3], digits[3:]
    cores = torch.randn(1, m1, n1, a), torch.randn(a, m2, n2, b), torch.randn(b, m3, n3, 1)
    weight = TensorTrainWeight(*cores, (m1 * m2 * m3, n1 * n2 * n3))
    by_definition = np.einsum("oia,apjb,bqk->opqijk", cores[0][0], cores[1], cores[2][..., 0]).reshape(weight.shape)
    np.testing.assert_allclose(weight().detach(), by_definition, rtol=1e-4, atol=1e-4)
    bias = torch.randn(weight.shape[0])
    for batch in ((), (5,), (2, 3), (0,)):
        x = torch.randn(*batch, weight.shape[1])
        torch.testing.assert_close(weight.linear(x, bias), F.linear(x, weight(), bias), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(weight.linear(x), F.linear(x, weight()))
    # each core in turn takes one multiplication for each of its numbers, rows behind it and columns before it
    assert weight.macs() == m1 * n1 * a * n2 * n3 + m1 * a * m2 * n2 * b * n3 + m1 * m2 * b * m3 * n3
    x = torch.randn(7, weight.shape[1])
    with FlopCounterMode(display=False) as counter:
        weight.linear(x)
    if min(*digits, a, b) > 1:  # torch counts two operations for each multiplication, and none where a side is 1
        assert counter.get_total_flops() == 2 * 7 * weight.macs()


def test_a_convolution_is_that_of_the_dense_weight():
    torch.manual_seed(0)
    network = adopt(nn.Sequential(nn.Conv2d(8, 12, 3, stride=2, padding=1)))
    small = TensorTrain().prepare(network).at(4)
    weight, x = small[0].weight, torch.randn(2, 8, 9, 9)
    assert isinstance(weight, TensorTrainWeight) and weight.shape == (12, 8, 3, 3) and weight.macs() == 12 * 8 * 9
    torch.testing.assert_close(small[0](x), F.conv2d(x, weight(), network[0].bias, stride=2, padding=1))
    expected = by_numpy(network[0].weight().detach().flatten(1).numpy(), 4)[0].reshape(12, 8, 3, 3)
    np.testing.assert_allclose(weight().detach(), expected, atol=1e-5)


def test_cores_are_scaled_to_numbers_of_one_size_and_their_product_stays():
    matrix = random_matrix((12, 30))
    cores = fitted(1000 * matrix).cores(3)
    even = alike(cores)
    sizes = [float(core.square().mean()) for core in even]
    assert sizes == pytest.approx([sizes[0]] * 3)
    torch.testing.assert_close(built(even, (12, 30)), built(cores, (12, 30)))
    assert all(core.isfinite().all() for core in alike(fitted(0 * matrix).cores(3)))


def test_the_picture_names_the_energy_that_both_cuts_keep_and_that_of_the_first():
    network = zoo.load("LeNet-300-100")
    curve, matrix = TensorTrain().prepare(network), network.fc1.weight().detach()
    picture = curve.picture(8, "fc1")
    kept = 1 - squared(curve.at(8).fc1.weight() - matrix) / squared(matrix)
    assert f"fc1: TT-rank 8 keeps {100 * kept:.1f} % of the energy" in picture.title and picture.title in picture.text
    assert f"(the first cut alone: {100 * picture.share[7]:.1f} %)" in picture.title and picture.share[7] > kept + 0.01
    assert picture.marks.tolist() == [8]
    assert "left alone" in curve.fits["fc1.weight"].picture(1000, "fc1").title


def test_the_knob_ends_where_no_layer_gains():
    curve = TensorTrain().prepare(zoo.load("LeNet-5"))
    assert curve.knob.values[-1] == max(fit.top for fit in curve.fits.values())
    assert all(fit.at(curve.knob.values[-1] + 1) is None for fit in curve.fits.values())


@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5", "VGG", "ResNet-20"])
def test_networks_of_the_zoo_are_compressed_saved_and_loaded(name, tmp_path):
    network = zoo.load(name)
    small = TensorTrain().prepare(network).at(4)
    for path, layer in layers.layers(small).items():
        count = sum(p.numel() for p in layer.weight.parameters())
        assert isinstance(layer.weight, TensorTrainWeight) == (count < layer.weight.shape.numel()), path
    storage.save(small, tmp_path / "small.safetensors")
    x = torch.randn(2, 1, 28, 28)
    torch.testing.assert_close(storage.load(tmp_path / "small.safetensors")(x), small(x), rtol=1e-4, atol=1e-4)


def test_it_composes_with_what_came_before_and_after_for_one_layer():
    network = zoo.load("LeNet-5")
    for first in (Magnitude().prepare(network).at(0.5), KMeans().prepare(network).at(4)):
        small = TensorTrain().prepare(first, where="fc1").at(8)
        expected = by_numpy(first.fc1.weight().detach().numpy(), 8)[0]
        np.testing.assert_allclose(small.fc1.weight().detach(), expected, atol=1e-4)
        assert type(small.conv2.weight) is type(first.conv2.weight)
    after = KMeans().prepare(small, where="fc1").at(2)
    assert isinstance(after.fc1.weight, TensorTrainWeight) and len(after.fc1.weight.second().unique()) <= 4


def test_it_trains_and_stays_a_train():
    curve = TensorTrain().prepare(zoo.load("LeNet-300-100"), where="fc1")
    before = curve.at(8).fc1.weight()
    _, trained = next(curve.train(8, data.load("MNIST"), Recipe(epochs=1, learning_rate=0.01)))
    weight = trained.fc1.weight
    assert isinstance(weight, TensorTrainWeight) and weight.second.shape == (8, 6, 8, 8)
    assert not torch.equal(weight(), before) and weight().isfinite().all()


@pytest.mark.parametrize("n, d", [(0, 3), (-4, 3), (8, 0)])
def test_sides_that_are_no_products_are_refused(n, d):
    with pytest.raises(ValueError, match="cannot be written as a product"):
        modes(n, d)


@pytest.mark.parametrize(
    "cores, shape",
    [
        (((1, 2, 2, 3), (2, 2, 2, 2), (2, 2, 2, 1)), (8, 8)),  # ranks that differ
        (((2, 2, 2, 2), (2, 2, 2, 2), (2, 2, 2, 1)), (8, 8)),  # a first rank that is not 1
        (((1, 2, 2, 2), (2, 2, 2, 2), (2, 2, 2, 2)), (8, 8)),  # a last rank that is not 1
        (((1, 2, 2, 2), (2, 2, 2, 2), (2, 2, 2, 1)), (8, 9)),  # another shape
        (((1, 2, 2, 2), (2, 2, 2, 2), (2, 2, 2, 1)), (4, 2, 8)),
        (((1, 2, 2, 2), (2, 2, 2, 2), (2, 2, 2, 1)), (8,)),
        (((1, 2, 2), (2, 2, 2, 2), (2, 2, 2, 1)), (8, 8)),
        (((1, 2, 2, 0), (0, 2, 2, 2), (2, 2, 2, 1)), (8, 8)),
    ],
)
def test_cores_that_do_not_fit_are_named(cores, shape):
    with pytest.raises(ValueError, match=r"must be \(1, o1, i1, a\), \(a, o2, i2, b\)"):
        TensorTrainWeight(*(torch.ones(core) for core in cores), shape)
