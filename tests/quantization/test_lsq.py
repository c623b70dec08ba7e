"""LSQ: the gradients of the paper, by hand and by finite differences, and a grid that fits the weights."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from labkit import adopt, load, save, size
from labkit.quantization.lsq import LSQ, LatentGrid, limits, start_step
from labkit.weights import Affine


def test_the_gradients_by_hand():
    latent = LatentGrid(torch.tensor([0.3, -0.8, 5.0, -7.0]), torch.tensor([0.5]), 2)  # Qn = 2, Qp = 1
    slope = torch.tensor([1.0, 10.0, 100.0, 1000.0])
    (latent() * slope).sum().backward()
    # w / s is 0.6, -1.6, 10, -14: round(0.6) - 0.6 = 0.4, -2 + 1.6 = -0.4, then Qp = 1 and -Qn = -2
    assert latent().tolist() == [0.5, -1.0, 0.5, -1.0]
    assert latent.values.grad.tolist() == [1, 10, 0, 0]
    expected = (0.4 * 1 - 0.4 * 10 + 1 * 100 - 2 * 1000) / math.sqrt(4 * 1)
    assert latent.step.grad.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_the_gradients_are_those_of_the_clip_with_the_codes_as_they_are(bits):
    """Straight through: round(v) counts as v + c with c as it is now, so w^ = s clip(w / s) + s c is smooth."""
    torch.manual_seed(bits)
    low, high = limits(bits)
    values = torch.randn(500, dtype=torch.float64) * high / 2
    slope = torch.randn(500, dtype=torch.float64)
    latent = LatentGrid(values, torch.tensor([0.7], dtype=torch.float64), bits)
    (latent() * slope).sum().backward()
    rest = (values / 0.7).clamp(low, high).round() - (values / 0.7).clamp(low, high)

    def output(values, step):
        return ((step * ((values / step).clamp(low, high) + rest)) * slope).sum()

    h = 1e-7
    by_step = (output(values, 0.7 + h) - output(values, 0.7 - h)) / (2 * h)
    assert latent.step.grad.item() * math.sqrt(500 * high) == pytest.approx(by_step.item(), rel=1e-5)
    for index in range(0, 500, 25):
        moved = torch.zeros_like(values)
        moved[index] = h
        by_value = (output(values + moved, 0.7) - output(values - moved, 0.7)) / (2 * h)
        assert latent.values.grad[index].item() == pytest.approx(by_value.item(), abs=1e-6)


@pytest.mark.parametrize("bits", range(2, 9))
def test_the_start_has_about_the_least_error_and_beats_the_papers(bits):
    values = np.random.RandomState(bits).standard_normal(20000)
    low, high = limits(bits)

    def error(step):
        return float(((step * np.clip(values / step, low, high).round() - values) ** 2).mean())

    counts, edges = np.histogram(values, bins=2048)
    found = error(start_step((edges[1:] + edges[:-1]) / 2, counts, bits))
    widest = np.abs(values).max() / high
    assert found <= 1.02 * min(error(step) for step in np.linspace(widest / 200, 2 * widest, 2000))
    assert found <= error(2 * np.abs(values).mean() / math.sqrt(high))


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_the_settled_network_is_on_its_grid_and_comes_back(tmp_path, bits):
    torch.manual_seed(0)
    network = adopt(nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 10))).eval()
    small = LSQ().prepare(network).at(bits).eval()
    weight = small[0].weight
    assert isinstance(weight, Affine) and len(weight().unique()) <= 2**bits
    written = save(small, tmp_path / "lsq")
    again = load(tmp_path / "lsq")
    x = torch.randn(5, 40)
    with torch.no_grad():
        assert torch.equal(again(x), small(x))
    assert written == size(small).total < (1200 + 300) * bits / 8 + 40 * 4 + 400


def test_one_bit_is_refused_and_the_step_stays_above_zero():
    network = adopt(nn.Sequential(nn.Linear(4, 3)))
    with pytest.raises(ValueError, match="bits is 1, but must be one of 2, 3, 4, 5, 6, 7, 8"):
        LSQ().prepare(network).at(1)
    latent = LatentGrid(torch.randn(3), torch.tensor([-0.1]), 2)
    latent.constrain({})
    assert latent.step.item() > 0 and latent().isfinite().all()
