"""The estimate from a sample against the truth, by drawing many samples of real compressions."""

import functools

import numpy as np
import pytest
import torch

from labkit import data as datasets
from labkit import lowrank, pruning, quantization, zoo
from labkit.estimate import Sample, margins

SAMPLES = 150
METHODS = {"SVD": lowrank.SVD, "prune": pruning.Magnitude, "k-means": quantization.KMeans}


@functools.cache
def answers(name: str, method: str, value: float):
    """The outputs of a compressed network for the validation split; method "" is the original."""
    model, data = zoo.load(name, "FashionMNIST"), datasets.load("FashionMNIST")
    if method:
        model = METHODS[method]().prepare(model).at(value)
    parts = data.validation.images.split(200)
    with torch.inference_mode():
        return torch.cat([model(data.normalise(images)) for images in parts]), data.validation.labels


def draw(name: str, method: str, value: float, images: int):
    """Estimate with many seeds: the values, the half widths, and the truth."""
    outputs, labels = answers(name, "", 0)
    changed = answers(name, method, value)[0].argmax(1)
    margin, right = margins(outputs), outputs.argmax(1) == labels
    found = []
    for seed in range(SAMPLES):
        sample = Sample(margin, right, seed)
        first = sample.order[:images]
        found.append(sample.estimate(changed[first], labels[first]))
    truth = float((changed == labels).float().mean())
    values, lows, highs = (np.array([getattr(one, name) for one in found]) for name in ("value", "low", "high"))
    return values, lows, highs, truth


# Accuracy falls by about: 0.1, 0.6, 0.9, 3, 6, 10, 19, 49 and 81 points.
COMPRESSIONS = [
    ("LeNet-300-100", "k-means", 5),
    ("LeNet-300-100", "k-means", 4),
    ("LeNet-300-100", "prune", 0.5),
    ("LeNet-300-100", "prune", 0.6),
    ("LeNet-300-100", "k-means", 2),
    ("LeNet-300-100", "prune", 0.8),
    ("LeNet-300-100", "prune", 0.9),
    ("LeNet-300-100", "k-means", 1),
    ("LeNet-300-100", "SVD", 1),
    ("LeNet-5", "k-means", 3),
    ("LeNet-5", "prune", 0.92),
    ("LeNet-5", "prune", 0.97),
]


@pytest.mark.parametrize(("name", "method", "value"), COMPRESSIONS)
@pytest.mark.parametrize("images", [100, 350])
def test_the_interval_covers_the_truth(name, method, value, images):
    values, lows, highs, truth = draw(name, method, value, images)
    covered = ((lows <= truth) & (truth <= highs)).mean()
    # 150 draws of a sound 95 % interval give below 0.89 once in a thousand; few pictures cost a little.
    assert covered >= (0.89 if images == 350 else 0.84)
    error = values.std() / SAMPLES**0.5
    assert abs(values.mean() - truth) <= 4 * error + 0.003  # no bias to speak of


@pytest.mark.parametrize(("name", "method", "value"), [COMPRESSIONS[0], COMPRESSIONS[1], COMPRESSIONS[9]])
def test_near_the_original_350_pictures_give_one_and_a_half_points(name, method, value):
    values, lows, highs, truth = draw(name, method, value, 350)
    assert ((highs - lows) / 2).max() <= 0.015
    assert np.abs(values - truth).mean() <= 0.005


def test_it_beats_the_plain_mean_of_as_many_pictures():
    values, _, _, truth = draw("LeNet-300-100", "k-means", 3, 350)
    plain = (truth * (1 - truth) / 350) ** 0.5
    assert ((values - truth) ** 2).mean() ** 0.5 < plain / 2


def test_the_whole_order_is_exact():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (400,), generator=generator)
    right = torch.rand(400, generator=generator) < 0.9
    sample = Sample(torch.rand(400, generator=generator), right)
    predictions = torch.randint(0, 10, (400,), generator=generator)
    found = sample.estimate(predictions[sample.order], labels[sample.order])
    truth = float((predictions == labels).double().mean())
    assert [found.low, found.value, found.high] == pytest.approx([truth] * 3)
    assert sorted(sample.order.tolist()) == list(range(400))


def test_no_change_gives_the_originals_accuracy_but_no_certainty():
    labels = torch.arange(500) % 10
    right = torch.arange(500) % 9 != 0
    same = torch.where(right, labels, labels + 1)
    sample = Sample(torch.linspace(0, 1, 500), right)
    found = sample.estimate(same[sample.order[:50]], labels[sample.order[:50]])
    assert found.value == pytest.approx(float(right.double().mean()))
    assert found.low < found.value < found.high


def test_unsure_pictures_come_first_and_a_seed_fixes_the_order():
    margin = torch.cat([torch.zeros(100), torch.ones(900)])
    orders = [Sample(margin, torch.ones(1000, dtype=torch.bool), seed).order for seed in (1, 1, 2)]
    assert torch.equal(orders[0], orders[1]) and not torch.equal(orders[0], orders[2])
    assert (orders[0][:200] < 100).sum() > 60  # uniform sampling would give about 20


@pytest.mark.parametrize("right", [0, 1])
def test_one_group_may_be_empty(right):
    flags = torch.full((50,), bool(right))
    sample = Sample(torch.full((50,), 0.5), flags)
    labels = torch.zeros(50, dtype=torch.int64)
    found = sample.estimate(torch.zeros(10, dtype=torch.int64), labels[:10])
    assert found.value == pytest.approx(1) and found.high == 1


def test_margins_are_the_gap_of_the_softmax():
    outputs = torch.tensor([[1.0, 3.0, 2.0], [0.0, 0.0, -9.0]])
    soft = outputs.exp() / outputs.exp().sum(1, keepdim=True)
    assert torch.allclose(margins(outputs), torch.stack([soft[0, 1] - soft[0, 2], torch.tensor(0.0)]), atol=1e-6)
    assert margins(torch.tensor([[float("nan"), 1.0]])).tolist() == [0.0]
