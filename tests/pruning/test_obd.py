"""Saliencies against brute force, a loss that rises so, and what they are worth on a real network."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit import adopt, data, zoo
from labkit.data import Data, Split
from labkit.measure import accuracy
from labkit.methods import numbers
from labkit.pruning.obd import OptimalBrainDamage
from labkit.pruning.random import Random


def tiny(count: int = 6) -> Data:
    """A few pictures of 2 x 2 pixels."""
    images = torch.randint(0, 256, (count, 1, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    part = Split(images, torch.arange(count) % 3)
    return Data("tiny", tuple("abc"), part, part, part, mean=(0.5,), std=(0.3,))


@pytest.fixture
def network():
    torch.manual_seed(1)
    return adopt(nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))).eval()


def gauss_newton(model: nn.Module, images: torch.Tensor, name: str) -> torch.Tensor:
    """The diagonal of the mean of J' H J, with the Jacobian of each picture and H by autograd twice."""
    weight = dict(model.named_parameters())[name].detach()
    total = torch.zeros_like(weight)
    for image in images:
        jacobian = torch.func.jacrev(lambda w, x=image: torch.func.functional_call(model, {name: w}, (x[None],))[0])(
            weight
        ).detach()
        outputs = model(image[None])[0].detach()
        hessian = torch.func.hessian(lambda y: F.cross_entropy(y, torch.tensor(0)))(outputs)
        total += torch.einsum("aij,ab,bij->ij", jacobian, hessian, jacobian)
    return total / len(images)


def test_saliencies_are_half_the_exact_curvature_times_the_square(network):
    pictures = tiny()
    images = pictures.normalise(pictures.train.images)
    fits = OptimalBrainDamage(images=10_000).prepare(network, pictures).fits
    for index in (1, 3):
        exact = gauss_newton(network, images, f"{index}.weight.values") * numbers(network[index].weight).square() / 2
        found = fits[f"{index}.weight"].scores.view_as(exact)
        assert (found - exact).norm() < 0.1 * exact.norm()


def test_of_a_quadratic_loss_no_other_cut_of_as_many_weights_costs_less(monkeypatch):
    """Brute force over all 252 cuts of 5 weights from 10, where the loss is sum h (w - w0)^2 / 2."""
    torch.manual_seed(3)
    network = adopt(nn.Linear(5, 2, bias=False))
    w, h = numbers(network.weight).clone(), torch.rand(2, 5)
    monkeypatch.setattr("labkit.pruning.obd.diagonal", lambda *arguments, **options: {"weight": h})

    def rise(cut: torch.Tensor) -> float:
        return float((h * (cut - w).square()).sum()) / 2

    costs = []
    for chosen in itertools.combinations(range(10), 5):
        cut = w.clone().flatten()
        cut[list(chosen)] = 0
        costs.append(rise(cut.view(2, 5)))
    curve = OptimalBrainDamage().prepare(network, tiny())
    assert rise(curve.at(0.5).weight().detach()) == pytest.approx(min(costs), rel=1e-5)
    assert float(curve.fits["weight"].scores.sum()) == pytest.approx(rise(torch.zeros(2, 5)), rel=1e-5)


def test_it_beats_chance_by_far():
    model, pictures = zoo.load("LeNet-300-100", "MNIST"), data.load("MNIST")
    curves = [method.prepare(model, pictures) for method in (OptimalBrainDamage(), Random())]
    for sparsity in (0.9, 0.95):
        found, chance = (accuracy(curve.at(sparsity), pictures) for curve in curves)
        assert found.low > chance.high + 0.3


def test_the_picture_marks_the_threshold_and_says_when_nothing_is_cut(network):
    curve = OptimalBrainDamage(images=200).prepare(network, tiny())
    scores = torch.cat([fit.scores for fit in curve.fits.values()])
    below = curve.picture(0.5, "1")
    kept = curve.fits["1.weight"].kept(0.5)
    assert 10 ** below.marks[0] <= float(scores.sort().values[17]) * 1.001
    assert below.values.sum() == 20 and f"{100 * (1 - kept.float().mean()):.1f} %" in below.text
    assert "none is cut" in curve.picture(0, "1").text


def test_without_pictures_it_says_what_to_do(network):
    with pytest.raises(ValueError, match="needs pictures.*prepare"):
        OptimalBrainDamage().prepare(network)
