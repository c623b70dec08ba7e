"""The losses against their definitions in float64: gradients, limits and parts."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from labkit.distillation.losses import decoupled, logit_loss, soft_loss, soften

brute = settings(max_examples=40, deadline=None)


def logits(seed=0, classes=10, pictures=4, size=3.0):
    random = torch.Generator().manual_seed(seed)
    z, v = (size * torch.randn(pictures, classes, generator=random, dtype=torch.float64) for _ in range(2))
    return z.requires_grad_(), v


@given(st.integers(0, 999), st.sampled_from([0.5, 1.0, 4.0, 20.0]))
@brute
def test_the_soft_loss_is_the_divergence_of_the_softened_answers(seed, temperature):
    z, v = logits(seed)
    p, q = ((one / temperature).exp() / (one / temperature).exp().sum(1, keepdim=True) for one in (v, z))
    expected = temperature**2 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(soft_loss(z, v, temperature), expected)
    torch.testing.assert_close(soften(v, temperature), p)


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_its_gradient_is_that_of_the_paper(temperature):
    """T (q_i - p_i) for each picture: (1 / T) (q_i - p_i) times T^2."""
    z, v = logits()
    (found,) = torch.autograd.grad(soft_loss(z, v, temperature), z)
    torch.testing.assert_close(found, temperature * (soften(z, temperature) - soften(v, temperature)) / len(z))


def test_at_high_temperature_it_tends_to_regression_on_centred_logits():
    """The difference falls with T, and at T = 10,000 the gradient is (z - v) / classes to four digits."""
    z, v = logits()
    centred = [one - one.mean(1, keepdim=True) for one in (z, v)]
    (limit,) = torch.autograd.grad(logit_loss(*centred) / z.shape[1], z)
    torch.testing.assert_close(limit, (centred[0] - centred[1]).detach() / (z.shape[1] * len(z)))
    gaps = []
    for temperature in (10.0, 100.0, 1000.0, 10_000.0):
        (found,) = torch.autograd.grad(soft_loss(z, v, temperature), z)
        gaps.append(float((found - limit).norm() / limit.norm()))
    assert all(two < one / 5 for one, two in itertools.pairwise(gaps)) and gaps[-1] < 1e-3


@given(st.integers(0, 999), st.sampled_from([1.0, 4.0]))
@brute
def test_the_two_parts_add_up_to_the_whole(seed, temperature):
    """KL = TCKD + (1 - p_t) NCKD, for every picture (Zhao 2022)."""
    z, v = logits(seed)
    labels = torch.randint(0, 10, (len(z),), generator=torch.Generator().manual_seed(seed))
    target, others = decoupled(z, v, labels, temperature)
    unsure = 1 - soften(v, temperature)[torch.arange(len(z)), labels]
    whole = F.kl_div((z / temperature).log_softmax(1), soften(v, temperature), reduction="none").sum(1)
    torch.testing.assert_close(target + unsure * others, whole)
    assert float(target.detach().min()) > -1e-12 and float(others.detach().min()) > -1e-12


def test_a_sure_teacher_has_nothing_to_say_but_in_its_second_part():
    z, v = logits()
    labels = torch.zeros(len(z), dtype=torch.long)
    v[:, 0] = 60.0
    target, others = decoupled(z, v, labels, 1.0)
    assert float((soft_loss(z, v, 1.0) - target.mean()).detach().abs()) < 1e-12 and float(others.detach().min()) > 0.1


def test_logits_are_compared_as_numbers():
    z, v = logits()
    torch.testing.assert_close(logit_loss(z, v), 5 * F.mse_loss(z, v))  # ten classes, and half of it
    assert float(logit_loss(v, v)) == 0


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_senseless_temperature_is_refused(temperature):
    with pytest.raises(ValueError, match="must be above 0"):
        soften(torch.zeros(1, 2), temperature)
