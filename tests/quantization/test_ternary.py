"""Ternary weights: near the best of all thresholds, and shorter than two bits in a file."""

import numpy as np
import pytest
import torch
from torch import nn

from labkit import adopt, save
from labkit.layers import Linear
from labkit.quantization import Ternary
from labkit.quantization.ternary import LatentTernary, ternary
from labkit.weights import Affine


def least_error(values: np.ndarray) -> float:
    """The least squared error of any alpha t: with the k largest magnitudes kept, alpha is their mean."""
    magnitudes = np.sort(np.abs(values))[::-1]
    saved = np.cumsum(magnitudes) ** 2 / np.arange(1, len(magnitudes) + 1)
    return float((values**2).sum() - saved.max())


@pytest.mark.parametrize(("kind", "factor"), [("standard_normal", 1.01), ("uniform", 1.01), ("laplace", 1.25)])
def test_the_rule_of_thumb_is_near_the_best_threshold(kind, factor):
    random = np.random.RandomState(0)
    values = random.uniform(-1, 1, 5000) if kind == "uniform" else getattr(random, kind)(size=5000)
    signs, alpha = (part.numpy() for part in ternary(torch.from_numpy(values)))
    error = ((values - alpha * signs) ** 2).sum()
    best = least_error(values)
    assert best * (1 - 1e-9) <= error <= factor * best


def test_the_scale_is_the_best_for_the_signs():
    values = torch.randn(200, dtype=torch.float64)
    signs, alpha = ternary(values)
    fitted = torch.linalg.lstsq(signs[:, None], values[:, None]).solution
    assert alpha.item() == pytest.approx(fitted.item())
    assert values.abs()[signs != 0].min() > values.abs()[signs == 0].max()


def test_the_file_takes_less_than_two_bits_for_a_weight(tmp_path):
    torch.manual_seed(0)
    network = adopt(nn.Sequential(nn.Linear(1000, 400, bias=False)))
    network = nn.Sequential(Linear(LatentTernary(torch.randn(400, 1000)).settle()))
    assert isinstance(network[0].weight, Affine)
    written = save(network, tmp_path / "ternary")
    counts = torch.bincount(network[0].weight.codes.flatten()).double()
    shares = counts / counts.sum()
    entropy = -(shares * shares.log2()).sum().item()
    huffman = 2 - shares.max().item()  # one bit for the zeros, two for the others
    assert entropy * 400000 / 8 < written < huffman * 400000 / 8 + 300 < 1.7 * 400000 / 8


def test_equal_weights_are_all_kept():
    network = adopt(nn.Sequential(nn.Linear(4, 4)))
    with torch.no_grad():
        network[0].weight.values.fill_(-0.25)
    assert torch.equal(Ternary().prepare(network).at(1)[0].weight(), network[0].weight())
