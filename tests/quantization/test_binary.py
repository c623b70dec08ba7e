"""Binary weights with scales: no signs and no scale come nearer to a filter."""

import itertools

import pytest
import torch
from torch import nn

from labkit import adopt
from labkit.quantization import BinaryScaled
from labkit.quantization.binary import ScaledSigns, mean_magnitudes


@pytest.mark.parametrize("seed", range(5))
def test_no_sign_vector_with_its_own_best_scale_is_nearer(seed):
    row = torch.randn(8, generator=torch.Generator().manual_seed(seed)).double()
    ours = (ScaledSigns(row[None])()[0] - row).square().sum().item()
    least = float("inf")
    for signs in itertools.product([-1.0, 1.0], repeat=8):
        b = torch.tensor(signs, dtype=torch.float64)
        alpha = torch.linalg.lstsq(b[:, None], row[:, None]).solution.item()  # best for these signs, also below 0
        least = min(least, (alpha * b - row).square().sum().item())
    assert ours == pytest.approx(least)


def test_each_filter_has_its_own_scale_and_a_list_has_one():
    filters = torch.randn(6, 3, 5, 5)
    assert torch.allclose(mean_magnitudes(filters), filters.abs().mean((1, 2, 3)))
    assert torch.allclose(mean_magnitudes(filters.flatten()), filters.abs().mean().view(1))
    network = adopt(nn.Sequential(nn.Conv2d(3, 6, 5)))
    weight = BinaryScaled().prepare(network).at(1)[0].weight
    assert weight.scale.shape == (6,) and weight().abs().flatten(1).unique(dim=1).shape == (6, 1)


def test_scales_follow_the_real_weights_while_they_learn():
    latent = ScaledSigns(torch.ones(1, 4))
    with torch.no_grad():
        latent.values.mul_(3)
    assert latent().tolist() == [[3.0] * 4]
