"""Uniform quantization is torch's own simulated quantization, stored in as many bits as it says."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from labkit import adopt, data, size
from labkit.grid import highest
from labkit.layers import leaves
from labkit.lowrank import SVD
from labkit.measure import parameters
from labkit.pruning import Magnitude
from labkit.quantization import Uniform
from labkit.train import Recipe
from labkit.weights import Affine, Sparse
from tests.storage.networks import assert_same, saved_and_loaded

BITS = Uniform.knob.values


def network(out=30, inside=40):
    torch.manual_seed(0)
    return adopt(nn.Sequential(nn.Linear(inside, out), nn.ReLU(), nn.Linear(out, 10))).eval()


def with_weight(weight):
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight = nn.Parameter(weight)
    return adopt(nn.Sequential(layer))


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("calibration", ["min_max", "percentile", "mse"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_the_weights_are_those_of_torch_to_the_last_bit(per_channel, calibration, symmetric):
    torch.manual_seed(1)
    model = adopt(nn.Sequential(nn.Conv2d(5, 12, 3), nn.Flatten(), nn.Linear(48, 33)))
    curve = Uniform(symmetric, per_channel, calibration).prepare(model)
    for bits in BITS:
        for old, new in zip(model[0::2], curve.at(bits)[0::2], strict=True):
            found, w, top = new.weight, old.weight(), highest(bits, symmetric)
            scale, zero = found.scale().detach(), found.zero
            assert tuple(scale.shape) == ((len(w),) if per_channel else (1,))
            if per_channel:
                expected = torch.fake_quantize_per_channel_affine(w, scale, zero, 0, 0, top)
            else:
                expected = torch.fake_quantize_per_tensor_affine(w, scale.item(), zero.item(), 0, top)
            assert torch.equal(found(), expected)
            assert found.codes.min() >= 0 and found.codes.max() <= top


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bits", BITS)
def test_weights_half_way_between_two_points_go_where_torch_sends_them(bits, symmetric):
    top = highest(bits, symmetric)
    zero = top // 2
    halves = (torch.arange(2 * top + 1) / 2 - zero) * 0.3  # every point of the grid, and every tie
    found = Uniform(symmetric, False, "min_max").prepare(with_weight(halves[None])).at(bits)[0].weight
    expected = torch.fake_quantize_per_tensor_affine(halves[None], found.scale().item(), found.zero.item(), 0, top)
    assert torch.equal(found(), expected)
    assert found.scale().item() == pytest.approx(0.3) and len(found.codes.unique()) == top + 1


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_weight_of_zero_stays_zero(symmetric):
    weight = torch.randn(20, 20) + 3
    weight[weight < 3] = 0
    for bits in BITS:
        quantized = Uniform(symmetric).prepare(with_weight(weight)).at(bits)[0].weight()
        assert not quantized[weight == 0].any()


def test_two_symmetric_bits_are_three_values():
    weight = Uniform(per_channel=False).prepare(network()).at(2)[0].weight
    values = weight().detach().unique()
    assert len(values) == 3 and values[1] == 0 and values[0] == -values[2]


def error(quantized, model):
    return sum(
        float((new().detach() - old().detach()).double().square().sum())
        for (_, new), (_, old) in zip(leaves(quantized), leaves(model), strict=True)
    )


@pytest.mark.parametrize("symmetric", [False, True])
def test_more_bits_and_more_steps_and_a_better_range_make_the_error_smaller(symmetric):
    model = network()
    with torch.no_grad():  # channels of different widths, and a few large weights
        model[0].weight.values.mul_(torch.linspace(0.2, 2, 30)[:, None])
        model[0].weight.values[:, 0] *= 4
    curve = Uniform(symmetric).prepare(model)
    errors = [error(curve.at(bits), model) for bits in BITS]
    assert errors == sorted(errors, reverse=True)
    for bits in BITS:
        one_step = error(Uniform(symmetric, per_channel=False).prepare(model).at(bits), model)
        whole_range = error(Uniform(symmetric, calibration="min_max").prepare(model).at(bits), model)
        assert errors[bits - 2] < one_step and errors[bits - 2] <= whole_range * (1 + 1e-6)
    assert errors[0] < 0.7 * error(Uniform(symmetric, calibration="min_max").prepare(model).at(2), model)


def test_the_values_of_a_pruned_layer_share_one_step():
    pruned = Magnitude("layer").prepare(network()).at(0.8)
    weight = Uniform().prepare(pruned).at(4)[0].weight
    assert isinstance(weight, Sparse) and isinstance(weight.values, Affine)
    assert tuple(weight.values.scale.shape) == (1,) and len(weight.values.codes) == 240
    assert not weight()[pruned[0].weight() == 0].any()


def test_quantized_weights_can_be_pruned_and_quantized_again():
    model = network()
    quantized = Uniform(per_channel=False).prepare(model).at(4)
    pruned = Magnitude("layer").prepare(quantized).at(0.5)
    assert isinstance(pruned[0].weight.values, Affine)
    kept = pruned[0].weight() != 0
    assert torch.equal(pruned[0].weight()[kept], quantized[0].weight()[kept]) and 0.2 < kept.float().mean() <= 0.5
    again = Uniform().prepare(quantized).at(8)
    assert error(again, quantized) < 1e-2 * error(quantized, model)


@pytest.mark.parametrize("order", list(itertools.permutations([SVD, Magnitude, Uniform])))
def test_it_composes_with_other_methods_in_any_order_and_trains(order, tmp_path):
    original = model = network()
    for method in order:
        curve = method().prepare(model)
        model = curve.at(curve.knob.values[len(curve.knob.values) // 2])
    assert_same(model, saved_and_loaded(model.eval(), tmp_path, into=original))
    model(torch.randn(4, 40)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_rows_too_short_for_a_step_of_their_own_share_one():
    factors = SVD().prepare(network(), where="0").at(4)
    weight = Uniform().prepare(factors).at(8)[0].weight
    assert tuple(weight.u.scale.shape) == (1,) and tuple(weight.v.scale.shape) == (4,)


def test_a_channel_of_zeros_and_one_huge_channel_are_no_trouble():
    weight = torch.randn(4, 20)
    weight[1], weight[2] = 0, 1e30 * weight[2]
    for symmetric in (False, True):
        quantized = Uniform(symmetric).prepare(with_weight(weight)).at(8)[0].weight()
        assert quantized.isfinite().all() and not quantized[1].any()
        widest = weight[0::2].abs().amax(1, keepdim=True)
        assert ((quantized[0::2] - weight[0::2]).abs() <= 0.01 * widest).all()


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_file_takes_the_bits_it_says_and_comes_back(tmp_path, per_channel, symmetric):
    model = network(64, 256)
    for bits in BITS:
        quantized = Uniform(symmetric, per_channel).prepare(model).at(bits)
        again = saved_and_loaded(quantized, tmp_path, into=model)
        assert_same(quantized, again)
        x = torch.randn(3, 256)
        with torch.inference_mode():
            assert torch.equal(quantized(x), again(x))
        steps = 74 if per_channel else 2
        most = (64 * 256 + 640) * bits / 8 + 4 * (74 + steps) + steps * bits / 8
        assert size(quantized).total <= most + 500
        assert parameters(quantized) == 64 * 256 + 640 + 74 + steps


def test_training_moves_the_steps_and_the_weights_stay_on_their_grid():
    images = data.load("MNIST")
    torch.manual_seed(0)
    model = adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    curve = Uniform().prepare(model)
    before = curve.at(3)[1].weight
    _, trained = next(curve.train(3, images, Recipe(epochs=1, learning_rate=0.05)))
    after = trained[1].weight
    assert torch.equal(after.codes, before.codes) and not torch.equal(after.scale(), before.scale())


@pytest.mark.parametrize(("per_channel", "whose"), [(False, "its grid"), (True, "first channel's grid, one of 30")])
def test_the_picture_marks_the_grid_and_says_whose_it_is(per_channel, whose):
    curve = Uniform(per_channel=per_channel).prepare(network())
    picture = curve.picture(3, "0")
    weight = curve.at(3)[0].weight
    first = weight()[0] if per_channel else weight()
    assert whose in picture.title and whose in picture.text and "7 points" in picture.text
    assert picture.values.sum() == 1200 and len(picture.edges) == len(picture.values) + 1
    assert set(np.unique(first.detach().numpy())) <= set(picture.marks) and len(picture.marks) == 7


def test_a_calibration_that_does_not_exist_names_those_that_do():
    with pytest.raises(ValueError, match="calibration is 'kl', but must be one of min_max, percentile, mse"):
        Uniform(calibration="kl")


@pytest.mark.parametrize("bits", [0, 1, 9, 40, 2.5])
def test_bits_off_the_knob_are_refused(bits):
    with pytest.raises(ValueError, match="but must be one of 2, 3, 4, 5, 6, 7, 8"):
        Uniform().prepare(network()).at(bits)
