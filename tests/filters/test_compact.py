"""Compact networks: what they are made of, what they cost by the papers' formulas, and that dice decide them."""

import pytest
import torch
from torch import nn

from labkit import layers, zoo
from labkit.filters import DepthwiseSeparable, Fire, Thinner
from labkit.macs import macs
from labkit.measure import parameters
from labkit.replacing import stored
from labkit.storage import load, save
from labkit.train import Recipe
from labkit.weights import Expanded
from tests.pictures import few

SHAPE = (1, 28, 28)
COMPACT = [Fire, DepthwiseSeparable, Thinner]
SQUARES = [(784, 32, 32), (196, 32, 64), (196, 64, 64), (49, 64, 128), (49, 128, 128)]  # VGG's conv2 to conv6
REST = 784 * 32 * 9 + 1152 * 256 + 2560  # its first convolution and its matrices


def made(method, name="VGG", value=None, seed=0):
    torch.manual_seed(seed)
    curve = method().prepare(zoo.load(name))
    return curve.at(curve.knob.start if value is None else value)


def test_depthwise_multiplications_are_the_share_of_the_paper():
    """1 / out + 1 / k^2 of those of a plain convolution (Howard 2017)."""
    expected = REST + sum(places * in_ * out * 9 * (1 / out + 1 / 9) for places, in_, out in SQUARES)
    assert macs(made(DepthwiseSeparable), SHAPE) == pytest.approx(expected)


@pytest.mark.parametrize("ratio", Fire.knob.values)
def test_fire_multiplications_follow_from_the_squeeze_ratio(ratio):
    """in s + s (e1 + 9 e3) for each place, s = ratio out and e1 = e3 = out / 2 (Iandola 2016)."""
    expected = REST + sum(places * ratio * out * (in_ + 5 * out) for places, in_, out in SQUARES)
    assert macs(made(Fire, value=ratio), SHAPE) == expected


@pytest.mark.parametrize("method", COMPACT)
@pytest.mark.parametrize("name", ["LeNet-5", "VGG", "ResNet-20"])
def test_a_compact_network_runs_and_comes_back_from_a_file(method, name, tmp_path):
    small = made(method, name, method.knob.values[1]).eval()
    x = torch.randn(2, *SHAPE)
    save(small, tmp_path / "small.safetensors")
    assert torch.equal(load(tmp_path / "small.safetensors")(x), small(x)) and small(x).shape == (2, 10)
    assert parameters(small) < parameters(zoo.load(name))


def test_the_first_convolution_and_those_of_1_x_1_stay_plain():
    small = made(DepthwiseSeparable, "ResNet-20")
    assert isinstance(small.conv1, layers.Conv2d) and isinstance(small.block4.shortcut.conv, layers.Conv2d)
    block = small.block4.conv1
    assert [type(part) for part in block] == [layers.Conv2d, nn.BatchNorm2d, nn.ReLU, layers.Conv2d]
    assert block.depthwise.groups == 16 and block.depthwise.stride == (2, 2) and block.pointwise.stride == (1, 1)
    fire = made(Fire, "ResNet-20").block4.conv1
    assert isinstance(fire.expand.weight, Expanded) and fire.expand.stride == (2, 2)


def test_biases_stay_where_there_were_some():
    for method, last in ((Fire, "expand"), (DepthwiseSeparable, "pointwise")):
        block = made(method, "LeNet-5").conv2
        assert getattr(block, last).bias.shape == (50,)
        assert made(method, "VGG").conv2[-1].bias is None


@pytest.mark.parametrize("method", COMPACT)
def test_it_is_drawn_by_torchs_dice_at_prepare_and_all_of_it_is_new(method):
    value = method.knob.values[-1]
    one, same, other = (made(method, value=value, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["fc1.weight.values"], other["fc1.weight.values"])
    assert not torch.equal(one["fc2.weight.values"], zoo.load("VGG").state_dict()["fc2.weight.values"])
    curve = method().prepare(zoo.load("VGG"))
    assert torch.equal(curve.at(value).fc1.weight(), curve.at(value).fc1.weight())


@pytest.mark.parametrize("method", COMPACT)
def test_a_layer_alone_and_a_network_without_filters_are_refused(method):
    with pytest.raises(ValueError, match="where is 'conv2', but the network is drawn as a whole"):
        method().prepare(zoo.load("VGG"), where="conv2")
    with pytest.raises(ValueError, match="no plain convolution"):
        method().prepare(zoo.load("LeNet-300-100"))
    with pytest.raises(ValueError, match="must be one of"):
        method().prepare(zoo.load("VGG")).at(0.3)


@pytest.mark.parametrize("method", [Fire, DepthwiseSeparable])
def test_it_learns(method):
    torch.manual_seed(0)
    data = few(1024, 200)
    losses = [p.loss for p, _ in method().prepare(zoo.load("LeNet-5")).train(method.knob.start, data, Recipe(epochs=3))]
    assert losses[-1] < 0.75 * losses[0]


@pytest.mark.parametrize("method", COMPACT)
def test_the_picture_has_a_bar_for_each_layer_and_they_add_up(method):
    curve = method().prepare(zoo.load("VGG"))
    value = method.knob.values[1]
    shown, small = curve.picture(value, "conv2"), curve.at(value)
    assert shown.kind == "bars" and shown.labels == tuple(layers.layers(zoo.load("VGG")))
    assert shown.values.sum() == macs(small, SHAPE) and shown.marks.sum() == macs(zoo.load("VGG"), SHAPE)
    assert f"{stored(small):,} numbers for 584,618" in shown.title


def test_the_rival_at_its_full_width_is_the_plain_network_drawn_anew():
    plain = made(Thinner, value=1.0)
    assert parameters(plain) == parameters(zoo.load("VGG")) and macs(plain, SHAPE) == macs(zoo.load("VGG"), SHAPE)


@pytest.mark.parametrize(
    ("width", "method", "count"),
    [(28 / 32, "CReLU", parameters), (25 / 32, "P4", parameters)],
)
def test_the_widths_of_the_controls_make_them_as_large_as_what_they_control(width, method, count):
    from labkit import filters

    shared = getattr(filters, method)().prepare(zoo.load("VGG"))
    assert count(made(Thinner, value=width)) == pytest.approx(count(shared.at(shared.knob.values[-1])), rel=0.04)
