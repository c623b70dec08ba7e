"""Accuracy, multiplications and parameters against closed forms, libraries and plain loops."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from torch import nn

from labkit import data as datasets
from labkit import layers, lowrank, pruning, quantization, storage, zoo
from labkit.measure import Accuracy, Measurement, accuracy, macs, measure, parameters
from labkit.rates import compression_rate, space_saving, space_saving_as_printed, speed_up
from labkit.weights import Codebook, LowRank, Sparse

SHAPE = (1, 28, 28)


@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_scipys_wilson_interval(counts):
    right, images = counts
    expected = binomtest(right, images).proportion_ci(0.95, method="wilson")
    found = Accuracy(right, images)
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("counts", [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="right of"):
        Accuracy(*counts)


def test_accuracy_counts_what_a_plain_loop_counts():
    model, data = zoo.load("LeNet-5", "FashionMNIST"), datasets.load("FashionMNIST")
    model.train()
    part = data.validation.take(slice(0, 600))
    small = datasets.Data(data.name, data.classes, part, part, part, data.mean, data.std)
    found = accuracy(model, small, batch=128)
    assert model.training  # its mode is left alone
    model.eval()
    with torch.no_grad():
        plain = int((model((part.images / 255 - data.mean[0]) / data.std[0]).argmax(1) == part.labels).sum())
    assert found.images == 600
    assert abs(found.right - plain) <= 1


# The sums are written out: positions of the output, times filters, times numbers under one filter.
CLOSED = {
    "LeNet-300-100": 784 * 300 + 300 * 100 + 100 * 10,
    "LeNet-5": 24**2 * 20 * 25 + 8**2 * 50 * 20 * 25 + 800 * 500 + 500 * 10,
    "VGG": 784 * 32 * 9 * (1 + 32) + 196 * 64 * 9 * (32 + 64) + 49 * 128 * 9 * (64 + 128) + 1152 * 256 + 256 * 10,
    "VGG-wide": 784 * 48 * 9 * (1 + 48) + 196 * 96 * 9 * (48 + 96) + 49 * 192 * 9 * (96 + 192) + 1728 * 384 + 3840,
    "ResNet-20": 784 * 16 * 9
    + 6 * 784 * 16 * 16 * 9
    + 196 * (32 * 16 * 9 + 5 * 32 * 32 * 9 + 32 * 16)
    + 49 * (64 * 32 * 9 + 5 * 64 * 64 * 9 + 64 * 32)
    + 64 * 10,
    "MLP-3x512": 784 * 512 + 512 * 512 + 512 * 512 + 512 * 10,
    "MLP-2x1200": 784 * 1200 + 1200 * 1200 + 1200 * 10,
    "MLP-2x800": 784 * 800 + 800 * 800 + 800 * 10,
    "MLP-1000": 784 * 1000 + 1000 * 10,
    "MLP-784": 784 * 784 + 784 * 10,
    "Z2CNN": 26**2 * 20 * 9 + (24**2 + 10**2 + 8**2 + 6**2 + 4**2) * 20 * 20 * 9 + 10 * 20 * 16,
    "P4CNN": 26**2 * 40 * 9 + (24**2 + 10**2 + 8**2 + 6**2 + 4**2) * 40 * 40 * 9 + 40 * 40 * 16,
    "P4CNN-pooled": 26**2 * 80 * 9 + (24**2 + 10**2 + 8**2 + 6**2 + 4**2) * 80 * 20 * 9 + 40 * 20 * 16,
}


@pytest.mark.parametrize("name", zoo.NETWORKS)
def test_macs_of_the_zoo_are_the_closed_forms(name):
    plain = zoo.build(name)
    assert macs(plain, SHAPE) == CLOSED[name]
    assert macs(layers.adopt(plain), SHAPE) == CLOSED[name]


def test_macs_follow_what_the_weights_multiply():
    dense = layers.adopt(zoo.build("LeNet-5"))
    thin = LowRank(torch.ones(50, 3), torch.ones(3, 500), (50, 20, 5, 5))
    sparse = Sparse(torch.arange(7), torch.ones(7), (500, 800))
    changed = layers.replace(dense, {"conv2.weight": thin, "fc1.weight": sparse})
    assert macs(changed, SHAPE) == 24**2 * 500 + 8**2 * 3 * (50 + 500) + 7 + 5000


def test_macs_of_grouped_and_strided_convolutions():
    net = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2), nn.Flatten(), nn.Linear(8 * 4 * 4, 5))
    assert macs(net, (4, 8, 8)) == 16 * 8 * (4 // 2) * 9 + 8 * 16 * 5


def test_macs_leaves_the_network_as_it_was():
    model = zoo.build("VGG").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    macs(model, SHAPE)
    assert model.training and not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_parameters_are_the_numbers_stored():
    model = layers.adopt(nn.Sequential(nn.Linear(4, 3)))
    assert parameters(model) == 15
    codes = torch.tensor([[0, 1, 0, 1]] * 3)
    assert parameters(layers.replace(model, {"0.weight": Codebook(codes, torch.ones(2))})) == 12 + 2 + 3
    assert parameters(layers.replace(model, {"0.weight": LowRank(torch.ones(3, 1), torch.ones(1, 4), (3, 4))})) == 7 + 3
    few = Sparse(torch.tensor([1, 5]), Codebook(torch.tensor([0, 1]), torch.ones(2)), (3, 4))
    assert parameters(layers.replace(model, {"0.weight": few})) == 2 + 2 + 3


def test_the_surveys_rates():
    assert (compression_rate(12, 4), space_saving_as_printed(12, 4), speed_up(1.0, 0.5)) == (3, 2, 2)
    assert space_saving(12, 4) == pytest.approx(1 - 1 / 3)
    for bad in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="must be above 0"):
            compression_rate(12, bad)


@pytest.mark.parametrize("method", [lowrank.SVD(), pruning.Magnitude(), quantization.KMeans()])
def test_measure_gathers_everything(method):
    model, data = zoo.load("LeNet-300-100", "MNIST"), datasets.load("MNIST")
    curve = method.prepare(model, data)
    compressed = curve.at(curve.knob.values[len(curve.knob.values) // 2])
    found = measure(compressed, data)
    assert isinstance(found, Measurement)
    assert found.accuracy == accuracy(compressed, data)
    assert (found.bytes, found.macs) == (storage.size(compressed).total, macs(compressed, SHAPE))
    assert found.split == "validation" and found.latency == {}
    assert f"{found.bytes:,} bytes" in str(found) and "of 5,000" in str(found)


def test_measure_times_both_batches_when_asked():
    model, data = layers.adopt(zoo.build("LeNet-300-100")), datasets.load("MNIST")
    times = measure(model, data, latency=True).latency
    assert {batch: time.batch for batch, time in times.items()} == {1: 1, 256: 256}


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="choose train, validation or test"):
        accuracy(zoo.build("LeNet-5"), datasets.load("MNIST"), "holdout")
