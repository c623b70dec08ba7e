"""Latents compute with quantized weights, learn with real ones, and settle into what is stored."""

from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from labkit import adopt, data, hardware, layers, save, size
from labkit.layers import Linear
from labkit.quantization.binary import BinaryScaled, ScaledSigns
from labkit.quantization.binaryconnect import BinaryConnect, ConnectedSigns
from labkit.quantization.lossaware import LossAware, LossAwareSigns
from labkit.quantization.lsq import LSQ, LatentGrid
from labkit.quantization.ternary import LatentTernary, Ternary
from labkit.weights import Latent, Signs, Sparse, Weight, settle

FORMS = {
    "ConnectedSigns": ConnectedSigns,
    "ScaledSigns": ScaledSigns,
    "LossAwareSigns": lambda values: LossAwareSigns(values, values.square() + 0.1),
    "LatentTernary": LatentTernary,
    "LatentGrid": lambda values: LatentGrid(values, torch.tensor([0.4]), 3),
}
METHODS = {
    "LSQ": LSQ(),
    "BinaryConnect": BinaryConnect(),
    "BinaryConnect, stochastic": BinaryConnect(stochastic=True),
    "BinaryScaled": BinaryScaled(),
    "LossAware": LossAware(),
    "Ternary": Ternary(),
}
SHAPES = [(7,), (6, 5), (4, 3, 2, 2)]
seeds = st.integers(0, 2**31 - 1)


@pytest.mark.parametrize("form", FORMS)
@given(seed=seeds, shape=st.sampled_from(SHAPES))
@settings(max_examples=40, deadline=None)
def test_the_settled_weight_is_exactly_the_projected_one(form, seed, shape):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    latent = FORMS[form](values)
    settled = latent.settle()
    assert torch.equal(latent(), latent.project()) and torch.equal(settled(), latent())
    assert settled.shape == latent.shape == shape


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"LatentGrid"}))
def test_the_gradient_passes_straight_through(form):
    latent = FORMS[form](torch.randn(6, 5))
    slope = torch.randn(6, 5)
    (latent() * slope).sum().backward()
    assert torch.equal(latent.values.grad, slope)


@pytest.mark.parametrize("form", FORMS)
def test_weights_that_are_all_zero_settle_as_well(form):
    values = torch.zeros(4, 3)
    make = LossAwareSigns(values, torch.ones(4, 3)) if form == "LossAwareSigns" else FORMS[form](values)
    assert make.settle()().isfinite().all()


def test_a_network_settles_into_a_copy_and_one_without_latents_is_returned():
    latent = ScaledSigns(torch.randn(3, 4))
    model = nn.Sequential(Linear(latent, torch.zeros(3)), nn.BatchNorm1d(3), Linear(latent)).eval()
    settled = settle(model)
    assert isinstance(model[0].weight, Latent) and isinstance(settled[0].weight, Signs)
    assert settled[2].weight is settled[0].weight, "a shared weight stays shared"
    x = torch.randn(2, 4)
    with torch.no_grad():
        assert torch.equal(settled[0](x), model[0](x))
    settled[1].running_mean += 1
    assert not model[1].running_mean.any() and settle(settled) is settled


def test_latents_inside_of_other_weights_settle():
    sparse = Sparse(torch.tensor([1, 4, 5]), torch.randn(3), (2, 3))
    model = nn.Sequential(Linear(sparse))
    trained = layers.replace(model, {"0.weight.values": ScaledSigns(sparse.values().detach())})
    assert torch.equal(settle(trained)[0].weight(), trained[0].weight())


def test_no_file_can_hold_or_name_a_latent(tmp_path):
    model = nn.Sequential(OrderedDict(fc=Linear(ScaledSigns(torch.randn(3, 4)))))
    for write in (size, lambda model: save(model, tmp_path / "latent")):
        with pytest.raises(ValueError, match=r"only for training: call labkit.weights.settle\(model\) first"):
            write(model)
    assert not any(issubclass(kind, Latent) for kind in Weight.enrolled.values())


@pytest.mark.parametrize("form", ["ScaledSigns", "LatentTernary", "LatentGrid"])
def test_small_steps_add_up_until_the_quantized_weight_changes(form):
    latent = FORMS[form](torch.tensor([0.5, 0.5, -0.5, -0.5]))
    before = latent.settle()()
    for _ in range(200):
        latent().sum().backward()
        with torch.no_grad():
            latent.values -= 0.02 * latent.values.grad
        latent.zero_grad()
    assert before[0] > 0 > latent.settle()()[0]


def test_signs_refuse_what_is_no_sign():
    with pytest.raises(ValueError, match="codes reach from 0 to 2, but must lie from 0 to 1"):
        Signs(torch.tensor([[0, 2]]), torch.ones(1))
    with pytest.raises(TypeError, match="codes must be whole numbers"):
        Signs(torch.tensor([[0.0, 1.0]]), torch.ones(1))
    with pytest.raises(ValueError, match=r"scale has shape \(2,\), but for codes \(3, 2\) it must be \(1,\) or \(3,\)"):
        Signs(torch.zeros(3, 2, dtype=torch.int32), torch.ones(2))
    with pytest.raises(ValueError, match=r"it must be \(1,\)"):
        Signs(torch.zeros(3, dtype=torch.int32), torch.ones(3))


def test_a_sign_takes_one_bit_in_a_file(tmp_path):
    weight = Signs(torch.randint(0, 2, (512, 1024)), torch.rand(512))
    model = nn.Sequential(Linear(weight))
    written = save(model, tmp_path / "signs")
    assert 512 * 1024 / 8 + 4 * 512 * 0.8 < written < 512 * 1024 / 8 + 4 * 512 + 300
    assert written == size(model).total == (tmp_path / "signs").stat().st_size


@pytest.mark.parametrize("name", METHODS)
def test_training_settles_as_often_as_it_reports_and_leaves_all_else_alone(name):
    method, value, images = METHODS[name], METHODS[name].knob.values[-1], data.load("MNIST")
    images = replace(images, train=images.train.take(slice(0, 2560)))
    network = adopt(nn.Sequential(OrderedDict(flatten=nn.Flatten(), fc=nn.Linear(784, 10))))
    curve = method.prepare(network, images)
    original, start = network.fc.weight().detach().clone(), curve.at(value).fc.weight().detach()
    run = curve.train(value, images)
    first = next(run)[1]
    kept = first.fc.weight().detach().clone()
    progress, second = next(run)
    assert progress.step == 20 and not any(isinstance(part, Latent) for part in second.modules())
    assert torch.equal(first.fc.weight(), kept), "what was shown does not change while training goes on"
    assert not torch.equal(second.fc.weight(), kept)
    assert torch.equal(network.fc.weight(), original) and torch.equal(curve.at(value).fc.weight(), start)


@pytest.mark.skipif(len(hardware.devices()) < 2, reason="no GPU on this machine")
@pytest.mark.parametrize("form", FORMS)
def test_a_gpu_settles_as_the_processor_does(form):
    values = torch.randn(6, 5)
    there = FORMS[form](values).to(hardware.device("auto")).settle()
    assert torch.allclose(there().cpu(), FORMS[form](values).settle()())
