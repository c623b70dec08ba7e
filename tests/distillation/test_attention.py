"""Attention maps against numpy, and a loss that sees where maps look and not how large they are."""

import numpy as np
import pytest
import torch

from labkit.distillation.attention import attention_loss, attention_map


def test_the_three_maps_are_what_the_paper_says():
    maps = torch.randn(2, 5, 4, 3)
    size = np.abs(maps.numpy())
    np.testing.assert_allclose(attention_map(maps, "sum"), size.sum(1), rtol=1e-5)
    np.testing.assert_allclose(attention_map(maps), (size**2).sum(1), rtol=1e-5)
    np.testing.assert_allclose(attention_map(maps, "power", 4), (size**4).sum(1), rtol=1e-5)
    np.testing.assert_allclose(attention_map(maps, "max", 3), (size**3).max(1), rtol=1e-5)
    with pytest.raises(ValueError, match="must be one of sum, power, max"):
        attention_map(maps, "mean")


def test_the_loss_is_half_the_squared_distance_of_unit_maps():
    one, other = torch.randn(3, 5, 4, 4), torch.randn(3, 2, 4, 4)
    looks = []
    for maps in (one, other):
        flat = (maps.numpy() ** 2).sum(1).reshape(3, -1)
        looks.append(flat / np.linalg.norm(flat, axis=1, keepdims=True))
    expected = np.square(looks[0] - looks[1]).sum(1).mean() / 2
    assert float(attention_loss([one], [other])) == pytest.approx(float(expected), rel=1e-4)
    assert float(attention_loss([one, one], [other, other])) == pytest.approx(2 * float(expected), rel=1e-4)
    assert float(attention_loss([one], [7 * one])) < 1e-10  # how large the maps are does not matter


def test_maps_of_other_sizes_do_not_compare():
    with pytest.raises(ValueError, match="as high and as wide"):
        attention_loss([torch.rand(1, 2, 4, 4)], [torch.rand(1, 2, 2, 2)])
