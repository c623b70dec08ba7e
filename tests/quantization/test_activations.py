"""Quantized activations against torch's simulation at each layer's input, and everything that must understand them."""

import copy
import functools

import numpy as np
import pytest
import torch
from torch import nn

from labkit import data as datasets
from labkit import layers, size, zoo
from labkit.evaluate import Evaluator
from labkit.grid import highest
from labkit.macs import macs
from labkit.measure import accuracy, parameters
from labkit.quantization import Activations, KMeans, Uniform
from labkit.quantization.activations import observe
from labkit.train import Recipe
from tests.networks import fashion, plain

BITS = Activations.knob.values


@functools.cache
def lenet(name="LeNet-300-100"):
    return zoo.load(name, "FashionMNIST")


@torch.no_grad()
def inputs(model, images):
    """What each layer reads, found by hooks."""
    model, found = copy.deepcopy(model).eval(), {}
    for path, layer in layers.layers(model).items():
        layer.register_forward_pre_hook(lambda _, x, path=path: found.__setitem__(path, x[0].clone()))
    model(images)
    return found


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5"])
def test_each_layer_reads_what_torch_would_have_rounded(name, symmetric):
    model, images = lenet(name), fashion().normalise(fashion().validation.images[:8])
    curve = Activations(symmetric).prepare(model, fashion())
    for bits in BITS:
        compressed = curve.at(bits)
        expected = copy.deepcopy(model)
        for path, layer in layers.layers(expected).items():
            grid, top = compressed.get_submodule(path).grid, highest(bits, symmetric)
            layer.register_forward_pre_hook(
                lambda _, x, grid=grid, top=top: torch.fake_quantize_per_tensor_affine(
                    x[0], grid.scale, grid.zero, 0, top
                )
            )
        with torch.no_grad():
            assert torch.equal(compressed(images), expected(images))


def test_the_histogram_counts_every_number_that_a_layer_read():
    model, data = lenet("LeNet-5"), fashion()
    found = observe(model, data, ["conv2", "fc2"])
    everything = inputs(model, data.normalise(data.train.images[:500]))
    for path, histogram in found.items():
        numbers = everything[path].double().flatten()
        assert histogram.counts[0, -1] == len(numbers)
        torch.testing.assert_close(histogram.sums[0, -1], numbers.sum(), rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(histogram.squares[0], numbers.square().sum(), rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(histogram.high[0], numbers.max(), rtol=1e-4, atol=1e-4)
        expected, _ = np.histogram(numbers.numpy(), 2048)
        assert abs(histogram.counts[0, 1].item() - expected[0]) <= 2  # the zeros of the ReLU


def test_the_range_is_the_percentile_of_what_was_read():
    model, data = lenet(), fashion()
    read = inputs(model, data.normalise(data.train.images[:500]))["fc2"].flatten()
    grid = Activations(calibration="percentile").prepare(model, data).at(8).fc2.grid
    high = np.quantile(read.numpy(), 0.9995)
    assert grid.zero == 0 and grid.points()[-1].item() == pytest.approx(high, rel=0.02)
    whole = Activations(calibration="min_max").prepare(model, data).at(8).fc2.grid
    assert whole.points()[-1].item() == pytest.approx(read.max().item(), rel=1e-4)


def test_weights_and_activations_go_together_in_either_order():
    model, data = lenet(), fashion()
    one = Activations().prepare(Uniform().prepare(model).at(8), data).at(4)
    other = Uniform().prepare(Activations().prepare(model, data).at(4)).at(8)
    images = data.normalise(data.validation.images[:50])
    for path in layers.layers(model):
        first, second = one.get_submodule(path), other.get_submodule(path)
        assert first.grid.bits == second.grid.bits == 4
        assert torch.equal(first.weight(), second.weight())
        assert first.grid.scale == pytest.approx(second.grid.scale, rel=0.05)
    assert (one(images).argmax(1) == other(images).argmax(1)).float().mean() > 0.9


def test_preparing_again_replaces_the_grids_as_if_they_had_not_been():
    model, data = lenet(), fashion()
    coarse = Activations().prepare(model, data).at(2)
    again, direct = (Activations().prepare(start, data).at(6) for start in (coarse, model))
    assert [layer.grid.numbers for layer in layers.layers(again).values()] == [
        layer.grid.numbers for layer in layers.layers(direct).values()
    ]
    assert all(layer.grid.bits == 2 for layer in layers.layers(coarse).values())


def test_one_layer_alone():
    compressed = Activations().prepare(lenet(), fashion(), where="fc2").at(3)
    assert [layer.grid and layer.grid.bits for layer in layers.layers(compressed).values()] == [None, 3, None]


@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5"])
def test_the_evaluator_and_the_measurement_answer_as_the_plain_loop(name):
    model, data = lenet(name), fashion()
    evaluator = Evaluator(model, data)
    curve = Activations().prepare(model, data)
    for bits in (8, 3, 2, 5, 8):
        compressed = curve.at(bits)
        expected = plain(compressed, data).argmax(1)
        found = list(evaluator.full(compressed))[-1]
        # Sums round in another order there, and a number half way between two points may go to the other one.
        assert found.done and (found.predictions != expected).sum() <= 4
        right = int((expected == data.validation.labels).sum())
        assert abs(found.accuracy.right - right) <= 4
        assert abs(accuracy(compressed, data).right - right) <= 4
    both = KMeans().prepare(curve.at(4)).at(3)
    assert (list(evaluator.full(both))[-1].predictions != plain(both, data).argmax(1)).sum() <= 4
    assert torch.equal(list(evaluator.full(model))[-1].predictions, evaluator.predictions)


def test_nothing_that_is_counted_changes_but_a_few_bytes():
    model = lenet()
    compressed = Activations().prepare(model, fashion()).at(4)
    assert parameters(compressed) == parameters(model) and macs(compressed, (1, 28, 28)) == macs(model, (1, 28, 28))
    assert 0 < size(compressed).total - size(model).total < 100
    assert all(torch.equal(new, old) for new, old in zip(compressed.parameters(), model.parameters(), strict=True))


def test_a_network_trains_through_its_grids():
    _, trained = next(
        Activations().prepare(lenet(), fashion()).train(4, datasets.load("FashionMNIST"), Recipe(1, 0.01))
    )
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in trained.parameters())
    assert [layer.grid.bits for layer in layers.layers(trained).values()] == [4, 4, 4]


def test_the_picture_shows_what_the_layer_reads_and_its_grid():
    curve = Activations().prepare(lenet(), fashion())
    picture = curve.picture(3, "fc2")
    assert "fc2" in picture.title and "8 points" in picture.text
    assert picture.values.sum() == 500 * 300 and len(picture.edges) == len(picture.values) + 1
    assert np.array_equal(picture.marks, curve.at(3).fc2.grid.points().numpy())
    with pytest.raises(ValueError, match="layer 'fc9' was left alone: it is not among fc1, fc2, fc3"):
        curve.picture(3, "fc9")


def test_a_layer_that_nothing_reaches_is_left_alone():
    class Partial(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(784, 10), nn.Linear(784, 10)

        def forward(self, x):
            return self.used(x.flatten(1))

    model = layers.adopt(Partial())
    compressed = Activations().prepare(model, fashion()).at(4)
    assert compressed.used.grid is not None and compressed.unused.grid is None
    with pytest.raises(ValueError, match="no picture reaches the layer"):
        Activations().prepare(model, fashion(), where="unused")


def test_what_a_learner_may_get_wrong_is_said():
    with pytest.raises(ValueError, match="give prepare\\(model, data\\) the data to look at"):
        Activations().prepare(lenet())
    with pytest.raises(ValueError, match="layer 'fc9' does not exist"):
        Activations().prepare(lenet(), fashion(), where="fc9")
    with pytest.raises(ValueError, match="calibration is 'best'"):
        Activations(calibration="best")
    with pytest.raises(ValueError, match="bits is 1, but must be one of 2, 3, 4, 5, 6, 7, 8"):
        Activations().prepare(lenet(), fashion()).at(1)
    broken = copy.deepcopy(lenet())
    with torch.no_grad():
        broken.fc1.bias[0] = float("nan")
    with pytest.raises(ValueError, match="fc2 reads NaN or infinite numbers"):
        Activations().prepare(broken, fashion())
