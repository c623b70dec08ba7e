"""Alternating least squares: what tensorly finds, with no number that is not finite and with bounded components."""

import numpy as np
import pytest
import tensorly
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorly.decomposition import parafac

from labkit.lowrank.als import alternate, approach, balanced, combine, degeneracy, main_directions, no_best, norms


def known(seed: int, sides=(6, 5, 3, 3), rank: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(side, rank, generator=generator, dtype=torch.float64) for side in sides]


def error(factors, tensor) -> float:
    return float((combine(factors) - tensor).norm() / tensor.norm())


@given(st.lists(st.integers(1, 5), min_size=2, max_size=4), st.integers(1, 4), st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_components_add_up_to_what_tensorly_makes_of_them(sides, rank, seed):
    factors = known(seed, sides, rank)
    expected = tensorly.cp_to_tensor((np.ones(rank), [factor.numpy() for factor in factors]))
    np.testing.assert_allclose(combine(factors).numpy(), expected, atol=1e-12)
    even = balanced(factors, 3.0)
    torch.testing.assert_close(combine(even), 3 * combine(factors))
    sizes = torch.stack([factor.norm(dim=0) for factor in even])
    torch.testing.assert_close(sizes, sizes[:1].expand_as(sizes))


@pytest.mark.parametrize("seed", range(3))
def test_known_components_are_found_again(seed):
    components = [torch.linalg.qr(factor).Q for factor in known(seed)]
    components[0] = components[0] * torch.tensor([5.0, 2.0])
    tensor = combine(components)
    found = alternate(tensor, 2, ridge=0)
    assert error(found, tensor) < 1e-5
    torch.testing.assert_close(norms(found).sort().values.float(), torch.tensor([2.0, 5.0]), rtol=1e-4, atol=0)
    order = norms(found).argsort(descending=True)
    for one, other in zip(found, components, strict=True):
        cosines = torch.nn.functional.cosine_similarity(one[:, order], other, dim=0)
        torch.testing.assert_close(cosines.abs(), torch.ones(2).double(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_it_is_tensorlys_own_result_at_any_scale(ridge):
    tensor = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = (tensor / tensor.norm()).numpy()
    start = (np.ones(3), [factor.numpy() for factor in main_directions(tensor, 3)])
    theirs = parafac(whole, 3, n_iter_max=20, tol=1e-8, init=start, l2_reg=ridge)
    expected = tensorly.cp_to_tensor(theirs) * float(tensor.norm())
    np.testing.assert_allclose(combine(alternate(tensor, 3, ridge, 20)).numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(combine(alternate(1000 * tensor, 3, ridge, 20)).numpy(), 1000 * expected, rtol=1e-4)


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_each_round_lowers_what_is_minimised(ridge):
    tensor = torch.randn(8, 6, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def objective(factors):
        sizes = sum(factor.square().sum() for factor in balanced(factors, 1 / float(tensor.norm())))
        return error(factors, tensor) ** 2 + ridge * float(sizes)

    found = [alternate(tensor, 5, ridge, 1)]
    for _ in range(15):
        found.append(alternate(tensor, 5, ridge, 1, start=found[-1]))
    values = np.array([objective(factors) for factors in found])
    assert (np.diff(values) < 1e-9).all() and values[-1] < values[0] - 1e-3


def test_a_tensor_without_a_best_approximation_is_approached_while_its_components_grow():
    tensor = no_best()
    assert np.linalg.matrix_rank(tensor.reshape(2, 4).numpy()) == 2
    exact = [approach(n) for n in (1, 10, 100, 1000)]
    for n, factors in zip((1, 10, 100, 1000), exact, strict=True):
        assert float((combine(factors) - tensor).norm()) == pytest.approx(1 / n**2, rel=1e-3)
    assert (np.diff([degeneracy(factors, tensor) for factors in exact]) > 4).all()
    found = [alternate(tensor, 2, 0, rounds) for rounds in (50, 150, 450)]
    assert (np.diff([error(factors, tensor) for factors in found]) < 0).all()
    assert (np.diff([degeneracy(factors, tensor) for factors in found]) > 0.1).all()


def test_a_ridge_keeps_the_components_small():
    tensor = no_best()
    found = [degeneracy(alternate(tensor, 2, 3e-4, rounds), tensor) for rounds in (500, 800)]
    assert found[0] == pytest.approx(found[1], rel=0.05) and found[1] < 4
    kernel = torch.randn(8, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    free, held = (alternate(kernel, 20, ridge, 60) for ridge in (0.0, 1e-3))
    assert degeneracy(held, kernel) < degeneracy(free, kernel)


def test_degeneracy_is_one_without_cancelling_and_more_with_it():
    tensor = combine(known(0, rank=1))
    assert degeneracy(known(0, rank=1), tensor) == pytest.approx(1)
    single = known(0, rank=1)
    pair = [torch.cat([factor, factor], 1) for factor in single]
    pair[0] = torch.cat([5 * single[0], -4 * single[0]], 1)  # 5 - 4 = 1
    assert degeneracy(pair, tensor) == pytest.approx(9)
    assert degeneracy(pair, torch.zeros(6, 5, 3, 3)) == 0


@given(
    st.sampled_from(["ones", "zeros", "one number", "equal rows", "tiny", "huge", "normal"]),
    st.lists(st.integers(1, 4), min_size=3, max_size=4),
    st.integers(1, 8),
    st.sampled_from([0.0, 3e-4]),
)
@settings(max_examples=100, deadline=None)
def test_no_nan_ever_leaves(kind, sides, rank, ridge):
    random = np.random.RandomState(0)
    tensor = torch.from_numpy(random.randn(*sides))
    if kind in ("ones", "zeros"):
        tensor = torch.full(sides, float(kind == "ones"))
    elif kind == "one number":
        tensor = torch.zeros(sides)
        tensor.view(-1)[-1] = 1.0
    elif kind == "equal rows":
        tensor = tensor[:1].expand(*sides).clone()
    elif kind in ("tiny", "huge"):
        tensor = tensor * {"tiny": 1e-30, "huge": 1e30}[kind]
    found = alternate(tensor, rank, ridge, 15)
    assert [tuple(factor.shape) for factor in found] == [(side, rank) for side in sides]
    assert all(bool(torch.isfinite(factor).all()) for factor in found) and np.isfinite(degeneracy(found, tensor))
    assert kind == "zeros" or error(found, tensor.double()) < 1.001


def test_the_last_sound_factors_are_returned_where_a_round_fails(monkeypatch):
    from tensorly.decomposition import _cp

    rounds = iter(range(1000))
    true = _cp.unfolding_dot_khatri_rao

    def failing(tensor, factors, mode):
        product = true(tensor, factors, mode)
        return product * float("nan") if next(rounds) >= 8 * tensor.ndim else product

    tensor = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0))
    expected = alternate(tensor, 3, rounds=8)
    monkeypatch.setattr(_cp, "unfolding_dot_khatri_rao", failing)
    found = alternate(tensor, 3, rounds=100)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="rank is 0 and ridge"):
        alternate(torch.ones(2, 2, 2), 0)
    with pytest.raises(ValueError, match="rank is 1 and ridge -1"):
        alternate(torch.ones(2, 2, 2), 1, ridge=-1)
    with pytest.raises(ValueError, match="NaN or infinite"):
        alternate(torch.full((2, 2, 2), float("nan")), 1)
    with pytest.raises(ValueError, match="above 0"):
        approach(0)
