"""A drawn structured matrix has its size, and the knobs offer what pays."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from labkit import adopt, layers
from labkit.replacing import stored
from labkit.structured import METHODS, RIVALS, BlockCirculant, Circulant, Fastfood, Monarch, ToeplitzLike
from labkit.weights import Dense

LAYERS = [method for method in METHODS + RIVALS if method.__name__ != "Narrower"]  # which draws networks, not matrices
DIALS = (BlockCirculant, ToeplitzLike, Monarch)


def draw(method: type, shape: tuple[int, int], std: float, seed: int = 0, value: float = 4) -> np.ndarray:
    weight = method("random").draw(shape, value, std, torch.Generator().manual_seed(seed))
    return weight().detach().double().numpy()


@pytest.mark.parametrize("method", LAYERS)
@pytest.mark.parametrize("shape", [(24, 40), (40, 24)])
def test_drawn_entries_have_mean_0_and_the_standard_deviation_asked_for(method, shape):
    draws = np.stack([draw(method, shape, 0.3, seed).ravel() for seed in range(200)])
    for power, expected in ((1, 0), (2, 0.3**2)):
        each = (draws**power).mean(1)
        doubt = each.std() / len(each) ** 0.5  # the entries of one draw depend on each other, the draws do not
        assert abs(each.mean() - expected) < 4 * doubt and doubt < 0.05 * 0.3**power


@pytest.mark.parametrize("method", LAYERS)
def test_the_generator_decides_what_is_drawn_and_the_deviation_scales_it(method):
    one, again, other = (draw(method, (12, 20), 0.3, seed) for seed in (5, 5, 6))
    assert np.array_equal(one, again) and not np.allclose(one, other)
    np.testing.assert_allclose(draw(method, (12, 20), 0.6, 5), 2 * one, rtol=1e-4, atol=1e-6)


def network(*widths: int) -> nn.Module:
    torch.manual_seed(0)
    return adopt(nn.Sequential(*(nn.Linear(*pair) for pair in itertools.pairwise(widths)))).eval()


@pytest.mark.parametrize("method", [Circulant, Fastfood])
def test_the_knob_counts_layers_from_the_largest_on_and_spares_the_last(method):
    curve = method("random").prepare(network(20, 40, 64, 10))
    assert curve.knob.values == (0, 1, 2) and curve.knob.start == 0
    dense = [[type(layer.weight) is Dense for layer in layers.layers(curve.at(value)).values()] for value in (0, 1, 2)]
    assert dense == [[True, True, True], [True, False, True], [False, False, True]]


@pytest.mark.parametrize("method", DIALS)
@pytest.mark.parametrize("widths", [(20, 40, 64, 10), (30, 7), (6, 5, 4), (784, 300, 10)])
def test_each_step_of_a_dial_stores_less_than_the_dense_network(method, widths):
    curve = method("random").prepare(network(*widths))
    assert curve.knob.start in curve.knob.values and set(curve.knob.values) <= set(method.knob.values)
    assert max(stored(curve.at(value)) for value in curve.knob.values) < stored(network(*widths))


def test_a_higher_displacement_rank_than_pays_is_not_offered():
    values = ToeplitzLike("random").prepare(network(20, 9, 5)).knob.values
    assert values == (1, 2, 3, 4)  # 2 * 20 * 4 < 20 * 9 < 2 * 20 * 6
