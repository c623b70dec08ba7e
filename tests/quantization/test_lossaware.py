"""Loss-aware binarization: its scale minimises the weighted error, and follows Adam's squares."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import nn

from labkit import adopt, data, zoo
from labkit.measure import accuracy
from labkit.quantization import LossAware
from labkit.quantization.binary import mean_magnitudes
from labkit.quantization.lossaware import EPS, LossAwareSigns, best_scale
from labkit.train import Recipe, Trainer


@pytest.fixture(scope="module")
def images():
    return data.load("MNIST")


@pytest.mark.parametrize("seed", range(5))
def test_no_scale_and_no_signs_cost_a_quadratic_loss_less(seed):
    random = np.random.RandomState(seed)
    w, d = random.standard_normal(6), random.exponential(size=6)
    alpha = best_scale(torch.from_numpy(w), torch.from_numpy(d)).item()
    ours = (d * (w - alpha * np.sign(w)) ** 2).sum()
    for signs in np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T:
        found = minimize_scalar(lambda scale, b=signs: (d * (w - scale * b) ** 2).sum())
        assert ours <= found.fun + 1e-9
        if (signs == np.sign(w)).all():
            assert found.x == pytest.approx(alpha, abs=1e-6)


@pytest.mark.parametrize("curvature", [1e-8, 1.0, 300.0])
def test_where_all_weights_count_alike_it_is_the_mean_magnitude_of_the_layer(curvature):
    values = torch.randn(6, 5)
    alpha = best_scale(values, torch.full_like(values, curvature))
    assert torch.allclose(alpha, mean_magnitudes(values.flatten()))


def test_rate_and_bias_correction_do_not_matter_to_the_scale():
    values, squares = torch.randn(50), torch.rand(50)
    d = EPS + squares.sqrt()
    corrected = (EPS + (squares / (1 - 0.999**3)).sqrt()) / 1e-3
    assert torch.allclose(best_scale(values, d), best_scale(values, corrected), rtol=1e-5)


def test_the_curvature_is_that_of_adam_after_each_step(images):
    few = replace(images, train=images.train.take(slice(0, 512)))
    curve = LossAware().prepare(adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 10))), images)
    model = curve.latent(1)
    latent = model[1].weight
    trainer = Trainer(model, few, curve.method.recipe)
    trainer.after_step = lambda model, progress: latent.constrain(trainer.optimiser.state[latent.values])
    for _ in trainer.run(every=1):
        squares = trainer.optimiser.state[latent.values]["exp_avg_sq"]
        d = EPS + squares.sqrt()
        expected = (d * latent.values.abs()).sum() / d.sum()
        assert latent.settle()().abs().max().item() == pytest.approx(expected.item(), rel=1e-5)
        assert d.max() > 10 * d.min()


def test_before_training_the_curvature_helps(images):
    """What the knob shows: weighted by the curvature, fewer answers are lost than with equal weights."""
    network = zoo.load("LeNet-300-100", "MNIST")
    curve = LossAware().prepare(network, images)
    aware = accuracy(curve.at(3), images).value
    for fit in curve.fits.values():
        fit.make = lambda values=fit.values: LossAwareSigns(values, torch.ones_like(values))
    assert aware > accuracy(curve.at(3), images).value + 0.02


def test_it_says_what_it_needs(images):
    network = adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    with pytest.raises(ValueError, match=r"needs pictures for the curvature: call prepare\(model, data\)"):
        LossAware().prepare(network)
    with pytest.raises(ValueError, match="give a recipe with optimiser='adam'"):
        next(LossAware().prepare(network, images).train(1, images, Recipe(epochs=1, optimiser="sgd")))
