"""The mixture's density, its fit and its assignment agree with scipy, with calculus and with looking one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.mixture import GaussianMixture

from labkit.pruning.mixture import Mixture, expectation_maximisation, tabulated


def drawn(seed: int, count: int = 3000) -> torch.Tensor:
    """Draw weights that lie around zero and around three other places."""
    random = np.random.default_rng(seed)
    places = random.choice([0.0, 0.0, 0.0, -0.5, 0.3, 0.8], count)
    return torch.from_numpy(places + random.normal(0, 0.05, count))


def mixture_of(seed: int, components: int) -> Mixture:
    """Draw a mixture."""
    random = np.random.default_rng(seed)
    means, precisions = random.normal(0, 0.5, components), random.uniform(2, 8, components + 1)
    return Mixture(*map(torch.from_numpy, (means, precisions, random.normal(0, 1, components))), 0.7)


def objective(mixture: Mixture, values: torch.Tensor) -> torch.Tensor:
    """Return what is minimised: -log p of all weights and of the precisions."""
    return mixture.surprise(values).sum() + mixture.hyper()


def test_the_density_is_scipys_and_adds_up_to_one():
    mixture, values = mixture_of(0, 4), torch.linspace(-3, 3, 4001).double()
    shares = [0.7, *(0.3 * mixture.shares.softmax(0)).tolist()]
    widths = (-mixture.precisions / 2).exp().tolist()
    centres = [0.0, *mixture.means.tolist()]
    expected = sum(
        share * stats.norm(centre, width).pdf(values.numpy())
        for share, centre, width in zip(shares, centres, widths, strict=True)
    )
    assert np.allclose((-mixture.surprise(values)).exp(), expected)
    assert np.trapezoid(expected, values) == pytest.approx(1, abs=1e-3)


def test_the_prior_is_scipys_gamma():
    one, two = mixture_of(1, 2), mixture_of(2, 2)

    def log_prior(mixture):
        t = mixture.precisions.exp().numpy()
        return stats.gamma(5e3, scale=1 / 2).logpdf(t[0]) + stats.gamma(250, scale=10).logpdf(t[1:]).sum()

    assert float(one.hyper() - two.hyper()) == pytest.approx(log_prior(two) - log_prior(one), rel=1e-6)


@given(st.integers(0, 1000), st.integers(1, 8))
@settings(max_examples=20, deadline=None)
def test_no_iteration_makes_the_fit_worse(seed, components):
    values = drawn(seed, 400)
    mixture = Mixture.spread(values, components, 0.5)
    before = float(objective(mixture, values))
    for _ in range(15):
        mixture = expectation_maximisation(mixture, values, iterations=1)
        after = float(objective(mixture, values))
        assert after <= before + 1e-6 * abs(before)
        before = after


def test_where_it_ends_all_slopes_are_zero():
    values = drawn(0, 500)
    mixture = expectation_maximisation(Mixture.spread(values, 3, 0.5), values, iterations=500)
    for part in mixture.free():
        part.requires_grad_()
    objective(mixture, values).backward()
    assert all(float(part.grad.abs().max()) < 1e-3 for part in mixture.free())


def test_with_the_true_share_it_ends_where_scikit_learn_does():
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(0, 0.02, 6_000), random.normal(-0.5, 0.02, 1_800)])
    values = np.concatenate([values, random.normal(0.4, 0.02, 2_200)])
    row = torch.from_numpy(values)
    ours = expectation_maximisation(Mixture.spread(row, 2, 0.6), row)
    theirs = GaussianMixture(3, random_state=0, means_init=[[0.0], [-0.5], [0.4]]).fit(values[:, None])
    order = np.argsort(theirs.means_[:, 0])
    assert np.allclose(ours.means.sort().values, theirs.means_[order, 0][[0, 2]], atol=1e-3)
    assert np.allclose(0.4 * ours.shares.softmax(0), theirs.weights_[order][[0, 2]], atol=1e-3)
    widths = np.sqrt(theirs.covariances_[order, 0, 0])
    assert np.allclose((-ours.precisions / 2).exp(), widths[[1, 0, 2]], rtol=0.02)  # ours has a prior


def test_a_count_is_so_many_equal_weights():
    values, counts = drawn(0, 50), torch.arange(1, 51)
    start = Mixture.spread(values, 4, 0.9)
    one = expectation_maximisation(start, values, counts.double())
    many = expectation_maximisation(start, values.repeat_interleave(counts))
    assert all(torch.allclose(a, b) for a, b in zip(one.free(), many.free(), strict=True))


def test_no_variance_collapses_onto_equal_weights():
    values = torch.zeros(1000).double().index_fill(0, torch.arange(10), 0.5)
    fitted = expectation_maximisation(Mixture.spread(values, 4, 0.9), values, iterations=200)
    assert all(bool(torch.isfinite(part).all()) for part in fitted.free())
    assert float((-fitted.precisions / 2).exp().min()) > 0.01


@given(st.integers(0, 10**6), st.integers(1, 16))
@settings(max_examples=40, deadline=None)
def test_the_responsible_component_is_found_as_if_one_by_one(seed, components):
    mixture = mixture_of(seed, components).like(torch.ones(1))
    values = torch.from_numpy(np.random.default_rng(seed).normal(0, 0.6, 2000)).float()
    assert torch.equal(mixture.responsible(values), mixture.parts(values).argmax(1))
    assert mixture.responsible(values[:0]).shape == (0,) and len(mixture.responsible(values[:1])) == 1


def test_the_table_gives_values_and_gradients():
    values, found = drawn(0).float(), []
    for surprise in (tabulated, Mixture.surprise):
        mixture, row = mixture_of(3, 6).like(values), values.clone().requires_grad_()
        for part in mixture.free():
            part.requires_grad_()
        total = surprise(mixture, row).sum()
        total.backward()
        found.append([total.detach(), row.grad, *(part.grad for part in mixture.free())])
    for table, direct in zip(*found, strict=True):
        assert torch.allclose(table, direct, rtol=1e-3, atol=2e-3 * float(direct.abs().max()))
