"""CP against tensorly, against kernels of known components, and where no best sum exists."""

import threading

import numpy as np
import pytest
import tensorly
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorly.decomposition import parafac
from torch import nn

from labkit import adopt, data, layers, storage, zoo
from labkit.lowrank import CP, SVD, cp
from labkit.lowrank.als import RIDGE, combine, degeneracy, no_best
from labkit.lowrank.hosvd import hosvd
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.train import Recipe
from labkit.weights import CP as CPWeight
from labkit.weights import LowRank

SHAPE = (16, 12, 3, 3)


def known(seed, rank, shape=SHAPE):
    """Components drawn at random, as factors (side, R)."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(side, rank, generator=generator, dtype=torch.float64) for side in shape]


def random_kernel(seed):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def found(kernel, rank, ridge=RIDGE):
    return cp.decompose(hosvd(kernel), kernel, rank, ridge)


def error(factors, kernel):
    return float((combine(factors) - kernel).norm() / kernel.norm())


@given(st.tuples(*[st.integers(1, 5)] * 4), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_weight_is_what_tensorly_makes_of_its_factors(shape, rank, seed):
    factors = known(seed, rank, shape)
    u, *others = (factor.float() for factor in factors)
    weight = CPWeight(u, *(factor.mT for factor in others))
    expected = tensorly.cp_to_tensor((np.ones(rank), [factor.numpy() for factor in factors]))
    np.testing.assert_allclose(weight().detach(), expected, atol=1e-4)
    assert weight.shape == shape and sum(p.numel() for p in weight.parameters()) == rank * sum(shape)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_kernel_of_known_components_is_recovered_and_a_ridge_costs_little(seed, rank):
    components = known(seed, rank)
    kernel = combine(components)
    factors = found(kernel, rank, ridge=0)
    assert error(factors, kernel) < 1e-4
    for one, other in zip(factors, components, strict=True):  # up to order and sign, they are the only ones
        cosines = (one / one.norm(dim=0)).mT @ (other / other.norm(dim=0))
        torch.testing.assert_close(cosines.abs().amax(0), torch.ones(rank).double(), rtol=1e-3, atol=0)
    assert error(found(kernel, rank), kernel) < 3e-3


@pytest.mark.parametrize("seed", [0, 1])
def test_the_error_falls_with_the_rank_and_is_that_of_tensorly_on_the_whole_kernel(seed):
    kernel, errors = random_kernel(seed), []
    for rank in (1, 2, 4, 8, 16, 29):
        start = [np.linalg.svd(tensorly.unfold(kernel.numpy(), mode))[0] for mode in range(4)]
        random = np.random.RandomState(rank)
        start = [np.hstack([u, random.randn(len(u), max(0, rank - len(u)))])[:, :rank] for u in start]
        theirs = parafac(kernel.numpy(), rank, n_iter_max=60, tol=1e-8, init=(np.ones(rank), start))
        expected = np.linalg.norm(tensorly.cp_to_tensor(theirs) - kernel.numpy()) / float(kernel.norm())
        errors.append(error(found(kernel, rank), kernel))
        assert errors[-1] == pytest.approx(expected, rel=0.04)
    assert (np.diff(errors) < 0).all()


def endless():
    """A kernel without a best sum of two components, though two come as near as one likes."""
    q = [torch.linalg.qr(factor).Q for factor in known(0, 2, (12, 10, 3))]
    column = torch.tensor([1.0, 2.0, 2.0], dtype=torch.float64) / 3
    return torch.einsum("oa,ib,yc,abc,x->oiyx", *q, no_best(), column)


def test_without_a_best_sum_components_grow_while_the_error_falls_and_a_ridge_slows_that(monkeypatch):
    kernel, free, held, rounds = endless(), [], [], (15, 60, 240)
    for most in rounds:
        monkeypatch.setattr(cp, "ROUNDS", most)
        free.append(found(kernel, 2, ridge=0))
        held.append(found(kernel, 2))
    assert (np.diff([error(factors, kernel) for factors in free]) < 0).all()
    grown = np.diff([degeneracy(factors, kernel) for factors in free])
    assert (grown > 0.5).all() and grown[1] > grown[0]  # faster than the logarithm of the rounds
    less = np.diff([degeneracy(factors, kernel) for factors in held])
    assert (less < 0.7 * grown).all() and degeneracy(held[-1], kernel) < degeneracy(free[-1], kernel) - 0.5


def test_the_picture_names_the_degeneracy_and_the_energy():
    kernel = endless().float()
    titles = {}
    for ridge in (0.0, 3e-2):
        fit = CP(ridge).fit_kernel(kernel)
        picture = fit.picture(2, "conv")
        kept = 1 - float((fit.at(2)().detach() - kernel).square().sum() / kernel.square().sum())
        assert f"conv: 2 components keep {100 * kept:.1f} % of the energy" in picture.title
        assert picture.values.sum() == pytest.approx(float(picture.title.split()[-1]), abs=0.05)
        assert "cancel each other" in picture.text and (np.diff(picture.values) <= 0).all()
        titles[ridge] = picture.values.sum()
    assert titles[3e-2] < titles[0.0]
    assert "1 component keep" in CP().fit_kernel(kernel).picture(1, "conv").title
    assert "left alone, 200 components would store more" in CP().fit_kernel(kernel).picture(200, "conv").title


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_kernels_of_equal_numbers_are_no_trouble(fill):
    kernel = torch.full(SHAPE, fill)
    fit = CP().fit_kernel(kernel)
    assert torch.allclose(fit.at(3)(), kernel, atol=1e-3)
    assert np.isfinite(fit.picture(3, "conv").values).all() and "nan" not in fit.picture(3, "conv").title


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(bad):
    network = adopt(nn.Sequential(nn.Conv2d(3, 4, 3)))
    with torch.no_grad():
        network[0].weight.values[0, 0, 0, 0] = bad
    with pytest.raises(ValueError, match="NaN or infinite"):
        CP().prepare(network)


@given(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(2, 3)))
@settings(max_examples=12, deadline=None)
def test_the_top_rank_is_the_last_that_stores_fewer_numbers(shape):
    fit = CP().fit_kernel(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    assert fit.top * sum(shape) < np.prod(shape) <= (fit.top + 1) * sum(shape)
    assert fit.at(fit.top + 1) is None
    if fit.top:
        assert sum(p.numel() for p in fit.at(fit.top).parameters()) == fit.top * sum(shape)


def test_no_layer_gets_more_components_than_take_a_reasonable_time():
    fit = CP().fit_kernel(torch.randn(96, 96, 3, 3, generator=torch.Generator().manual_seed(0)))
    assert fit.top == cp.MOST < 96 * 96 * 9 // 198 and fit.at(cp.MOST + 1) is None
    assert CP(most=5).fit_kernel(fit.kernel.float()).top == 5


def test_the_knob_ends_where_it_stops_to_pay_or_takes_too_long():
    torch.manual_seed(0)
    few = adopt(nn.Sequential(nn.Conv2d(4, 8, 3)))  # 288 numbers, and 18 for each component
    assert CP().prepare(few).knob.values[-1] == 15
    many = adopt(nn.Sequential(nn.Conv2d(96, 96, 3)))
    assert CP().prepare(many).knob.values[-1] == cp.MOST and CP().prepare(many).knob.start == 16
    assert CP(most=100).prepare(many).knob.values[-1] == 100
    matrix = adopt(nn.Sequential(nn.Linear(300, 300)))
    assert CP().prepare(matrix).knob == SVD().prepare(matrix).knob


def test_two_threads_that_ask_for_one_rank_get_the_same_from_one_computation(monkeypatch):
    fit, calls, true = CP().fit_kernel(random_kernel(0).float()), [], cp.decompose
    both, results = threading.Barrier(2), {}

    def counted(*arguments):
        calls.append(arguments)
        return true(*arguments)

    def ask(name):
        both.wait(timeout=30)
        results[name] = fit.at(4)()

    monkeypatch.setattr(cp, "decompose", counted)
    asking = [threading.Thread(target=ask, args=(name,)) for name in "ab"]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(timeout=60)
    assert len(calls) == 1 and torch.equal(results["a"], results["b"])
    assert torch.equal(fit.at(4)(), results["a"]) and len(calls) == 1  # kept
    assert tensorly.get_backend() == "numpy"


@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5", "VGG", "ResNet-20"])
def test_networks_of_the_zoo_are_compressed_saved_and_loaded(name, tmp_path):
    network = zoo.load(name)
    small = CP().prepare(network).at(1)
    for path, layer in layers.layers(network).items():
        weight, kernel = dict(layers.layers(small))[path].weight, layer.weight.shape
        takes_kernel = len(kernel) == 4 and kernel[2:].numel() > 1
        assert isinstance(weight, CPWeight if takes_kernel else LowRank)
    storage.save(small, tmp_path / "small.safetensors")
    x = torch.randn(2, 1, 28, 28)
    torch.testing.assert_close(storage.load(tmp_path / "small.safetensors")(x), small(x), rtol=1e-4, atol=1e-4)


def test_it_composes_with_what_came_before_and_after_for_one_layer():
    network = zoo.load("LeNet-5")
    for first in (Magnitude().prepare(network).at(0.5), KMeans().prepare(network).at(4)):
        small = CP().prepare(first, where="conv2").at(4)
        kernel = first.conv2.weight().detach().double()
        assert torch.allclose(small.conv2.weight().double(), combine(found(kernel, 4)), atol=1e-4)
        assert type(small.conv1.weight) is type(first.conv1.weight)
    after = KMeans().prepare(small, where="conv2").at(2)
    assert isinstance(after.conv2.weight, CPWeight) and len(after.conv2.weight.u().unique()) <= 4


def test_it_trains_and_stays_in_its_factors():
    curve = CP().prepare(zoo.load("LeNet-5"), where="conv2")
    before = curve.at(4).conv2.weight()
    _, trained = next(curve.train(4, data.load("MNIST"), Recipe(epochs=1, learning_rate=0.01)))
    assert isinstance(trained.conv2.weight, CPWeight) and trained.conv2.weight.u.shape == (50, 4)
    assert not torch.equal(trained.conv2.weight(), before) and trained.conv2.weight().isfinite().all()


def test_wrong_settings_are_refused_early():
    with pytest.raises(ValueError, match="ridge is -1"):
        CP(-1)
    with pytest.raises(ValueError, match="most is 0"):
        CP(most=0)
    assert CP(0).title != CP().title


@pytest.mark.parametrize(
    "u, v, vertical, horizontal",
    [
        ((4, 2), (3, 5), (2, 3), (2, 3)),
        ((4, 2), (2, 5), (2, 3), (3, 2)),
        ((4, 2), (2, 5), (2, 3, 1), (2, 3)),
        ((4,), (2, 5), (2, 3), (2, 3)),
        ((4, 0), (0, 5), (0, 3), (0, 3)),
    ],
)
def test_factors_that_do_not_fit_are_named(u, v, vertical, horizontal):
    with pytest.raises(ValueError, match=r"must be \(out, R\), \(R, in\), \(R, height\) and \(R, width\)"):
        CPWeight(torch.ones(u), torch.ones(v), torch.ones(vertical), torch.ones(horizontal))
