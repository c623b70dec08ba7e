"""The closed form is the global optimum: alternating least squares reaches it from anywhere, and never does better."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from labkit import adopt, layers, storage, zoo
from labkit.lowrank.spatial import Spatial, closed_form, to_matrix
from labkit.macs import macs
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.weights import Dense, LowRank, Separable


def combined(horizontal, vertical) -> np.ndarray:
    """The kernel of two factors, by its definition."""
    return np.einsum("orx,riy->oiyx", horizontal, vertical)


def alternating(kernel: np.ndarray, rank: int, random: np.random.RandomState, rounds: int = 300) -> float:
    """The squared error that alternating least squares ends with, from factors drawn at random."""
    out, inside, height, width = kernel.shape
    v = random.randn(rank, inside, height)
    for _ in range(rounds):
        # with v fixed, each (o, x) is a least-squares problem in h[o, :, x] over all (i, y), and so the other way
        seen = v.reshape(rank, -1).T
        h = np.linalg.lstsq(seen, kernel.transpose(1, 2, 0, 3).reshape(inside * height, -1), rcond=None)[0]
        v = np.linalg.lstsq(h.T, kernel.transpose(0, 3, 1, 2).reshape(out * width, -1), rcond=None)[0]
        v = v.reshape(rank, inside, height)
    h = h.reshape(rank, out, width).transpose(1, 0, 2)
    return float(np.sum((combined(h, v) - kernel) ** 2))


def error(kernel: np.ndarray, rank: int) -> float:
    horizontal, vertical = closed_form(torch.from_numpy(kernel), rank)
    return float(np.sum((combined(horizontal.numpy(), vertical.numpy()) - kernel) ** 2))


@pytest.mark.parametrize(
    ("shape", "rank"), [((4, 3, 3, 3), 1), ((4, 3, 3, 3), 4), ((5, 2, 5, 3), 3), ((3, 1, 5, 5), 2)]
)
def test_no_start_of_alternating_least_squares_does_better_and_the_best_reaches_it(shape, rank):
    random = np.random.RandomState(0)
    kernel = random.randn(*shape)
    found = np.array([alternating(kernel, rank, random) for _ in range(8)])
    best = error(kernel, rank)
    assert (found >= best * (1 - 1e-9)).all()
    assert found.min() == pytest.approx(best, rel=1e-6)


@given(st.tuples(*[st.integers(1, 5)] * 4), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_the_squared_error_is_the_tail_of_the_spectrum_and_full_rank_is_exact(shape, seed):
    kernel = np.random.RandomState(seed).randn(*shape)
    singular = np.linalg.svd(kernel.transpose(1, 2, 0, 3).reshape(shape[1] * shape[2], -1), compute_uv=False)
    for rank in range(1, len(singular) + 1):
        assert error(kernel, rank) == pytest.approx(np.sum(singular[rank:] ** 2), rel=1e-6, abs=1e-18)
    for wrong in (0, len(singular) + 1):
        with pytest.raises(ValueError, match=f"must be from 1 to {len(singular)}"):
            closed_form(torch.from_numpy(kernel), wrong)


def test_a_separable_kernel_has_rank_one():
    rows, columns = torch.tensor([1.0, 2.0, 1.0]), torch.tensor([-1.0, 0.0, 1.0])  # Sobel's
    assert torch.linalg.matrix_rank(to_matrix(torch.outer(rows, columns).view(1, 1, 3, 3))) == 1


def test_the_break_even_rank_is_the_last_that_stores_fewer_numbers():
    torch.manual_seed(0)
    for shape in [(6, 5, 3, 3), (7, 1, 5, 5), (4, 9, 3, 5)]:
        fit = Spatial().fit_kernel(torch.randn(*shape))
        size = int(np.prod(shape))
        weight = fit.at(fit.top)
        assert weight.horizontal.shape.numel() + weight.vertical.shape.numel() < size
        assert (fit.top + 1) * (shape[1] * shape[2] + shape[0] * shape[3]) >= size
        assert fit.at(fit.top + 1) is None and "left alone" in fit.picture(fit.top + 1, "conv").title


def test_the_network_computes_what_the_factors_say_and_takes_fewer_multiplications():
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 12, 3, stride=2, padding=1)
    network = adopt(nn.Sequential(layer))
    small = Spatial().prepare(network).at(4)
    horizontal, vertical = closed_form(layer.weight.detach(), 4)
    kernel = torch.from_numpy(combined(horizontal.numpy(), vertical.numpy()))
    x = torch.randn(2, 8, 10, 10)
    assert torch.allclose(small(x), nn.functional.conv2d(x, kernel, layer.bias, stride=2, padding=1), atol=1e-4)
    # the columns first, at 5 rows of 10, then the rows, at 5 x 5
    assert macs(small, (8, 10, 10)) == 4 * 8 * 3 * 5 * 10 + 12 * 4 * 3 * 5 * 5


@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5", "VGG", "ResNet-20"])
def test_each_network_of_the_zoo_comes_back_from_its_file(name, tmp_path):
    curve = Spatial().prepare(zoo.load(name))
    rank = curve.knob.values[len(curve.knob.values) // 2]
    small = curve.at(rank)
    kinds = {type(layer.weight) for layer in layers.layers(small).values()}
    assert kinds <= {Separable, LowRank, Dense} and len(kinds - {Dense}) >= 1
    path = tmp_path / "small.safetensors"
    storage.save(small, path)
    x = torch.randn(2, 1, 28, 28)
    assert torch.allclose(storage.load(path)(x), small(x), atol=1e-4)


def test_it_composes_with_what_came_before_and_what_comes_after():
    network = zoo.load("LeNet-5")
    for first in (Magnitude().prepare(network).at(0.5), KMeans().prepare(network).at(4)):
        small = Spatial().prepare(first, where="conv2").at(8)
        kernel = first.conv2.weight().detach()
        assert torch.allclose(small.conv2.weight(), Separable(*closed_form(kernel, 8))(), atol=1e-5)
    after = KMeans().prepare(small, where="conv2").at(4)
    assert len(after.conv2.weight.vertical().unique()) <= 16 and isinstance(after.conv2.weight, Separable)


def test_the_picture_names_the_energy_that_is_kept():
    network = zoo.load("LeNet-5")
    curve, kernel = Spatial().prepare(network), network.conv2.weight().detach()
    picture = curve.picture(16, "conv2")
    kept = 1 - float((curve.at(16).conv2.weight().detach() - kernel).square().sum() / kernel.square().sum())
    assert f"{100 * kept:.1f} %" in picture.title and picture.marks.tolist() == [16]
