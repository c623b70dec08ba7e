"""BinaryConnect: two values, clipped real weights, the rates of the paper, and what its stochastic form means."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit import adopt, data
from labkit.quantization import BinaryConnect
from labkit.quantization.binaryconnect import ConnectedSigns, glorot
from labkit.weights import Dense, Signs


@pytest.mark.parametrize(("layer", "fans"), [(nn.Linear(784, 300), 1084), (nn.Conv2d(20, 50, 5), 25 * 70)])
def test_the_height_is_half_of_glorots_uniform_range(layer, fans):
    nn.init.xavier_uniform_(layer.weight)  # between -sqrt(6 / fans) and sqrt(6 / fans)
    height = glorot(layer.weight.shape)
    assert height == pytest.approx(math.sqrt(6 / fans) / 2)
    assert 0.98 * 2 * height < layer.weight.abs().max() <= 2 * height


def test_real_weights_stay_between_the_two_values_all_through_training():
    network = adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    height = glorot(torch.Size((10, 784)))
    curve = BinaryConnect().prepare(network)
    for _, model in curve.train(1, data.load("MNIST")):
        assert isinstance(model[1].weight, Signs)
        assert model[1].weight().abs().unique().tolist() == pytest.approx([height])
        break
    latent = ConnectedSigns(torch.zeros(10, 784))
    with torch.no_grad():
        latent.values.copy_(torch.randn(10, 784))
    latent.constrain({})
    assert latent.values.abs().max().item() == pytest.approx(height)


@pytest.mark.parametrize(("kind", "power"), [(torch.optim.SGD, 2), (torch.optim.Adam, 1)])
def test_plain_rates_at_height_g_are_the_scaled_rates_of_the_paper_at_height_1(kind, power):
    """Two layers with batch normalisation, trained at height g, and at height 1 with the rate times 1 / g^power."""
    torch.manual_seed(0)
    shapes = [torch.Size((16, 20)), torch.Size((5, 16))]
    start = [(torch.rand(shape) * 2 - 1) * glorot(shape) for shape in shapes]
    x, labels = torch.randn(64, 20), torch.randint(0, 5, (64,))
    plain = [ConnectedSigns(values) for values in start]
    scaled = [ConnectedSigns(values) for values in start]
    for latent, values, shape in zip(scaled, start, shapes, strict=True):
        latent.height = 1.0
        latent.values.data = values / glorot(shape)
    rate = 0.002

    def normalised(y):
        return (y - y.mean(0)) / y.std(0)

    def outputs(latents):
        return normalised(F.relu(normalised(x @ latents[0]().T)) @ latents[1]().T)

    rates = [[rate, rate], [rate / glorot(shape) ** power for shape in shapes]]
    runs = []
    for latents, steps in zip((plain, scaled), rates, strict=True):
        groups = [{"params": [latent.values], "lr": step} for latent, step in zip(latents, steps, strict=True)]
        runs.append(kind(groups))
    for _ in range(20):
        for latents, optimiser in zip((plain, scaled), runs, strict=True):
            optimiser.zero_grad()
            F.cross_entropy(outputs(latents), labels).backward()
            optimiser.step()
            for latent in latents:
                latent.constrain({})
    for one, other, values, shape in zip(plain, scaled, start, shapes, strict=True):
        assert not torch.allclose(one.values, values, atol=glorot(shape) / 100), "something was learnt"
        assert torch.allclose(one.values, other.values * glorot(shape), atol=1e-4 * glorot(shape))


def test_stochastic_weights_are_drawn_with_the_right_chance_and_tested_with_their_mean():
    latent = ConnectedSigns(torch.zeros(1, 5), stochastic=True)
    height = latent.height
    with torch.no_grad():
        latent.values.copy_(height * torch.tensor([[-1.0, -0.5, 0.0, 0.5, 1.0]]))
    draws = 4000
    torch.manual_seed(0)
    with torch.no_grad():
        drawn = torch.stack([latent() for _ in range(draws)])
    assert sorted(drawn.unique().tolist()) == pytest.approx([-height, height])
    mean = drawn.mean(0)
    assert torch.allclose(mean, latent.values, atol=5 * height / math.sqrt(draws))
    assert torch.equal(latent.eval()(), latent.values)
    settled = latent.settle()
    assert isinstance(settled, Dense) and torch.equal(settled(), latent.values), "tested, and stored, with real weights"


def test_the_stochastic_form_trains_and_does_not_shrink():
    network = adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    curve = BinaryConnect(stochastic=True).prepare(network)
    assert isinstance(curve.at(1)[1].weight, Dense)
    _, model = next(curve.train(1, data.load("MNIST")))
    assert len(model[1].weight().unique()) > 100
