"""A point gives the same numbers each time, and they are those of the verbs that a learner uses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from labkit import data, measure, size, zoo
from labkit.benchmark.point import Point, Step
from labkit.benchmark.run import MOST_LOSSES, run, thinned
from labkit.pruning import Magnitude
from labkit.quantization import KMeans

POINT = Point("LeNet-300-100", "MNIST", "quantization.KMeans", 2)
SHORT = {"epochs": 1, "batch": 2048, "learning_rate": 0.01}


def lasting(found: dict) -> dict:
    return {name: value for name, value in found.items() if name != "seconds"}


def test_the_numbers_are_those_of_measure(tmp_path):
    point = replace(POINT, keep=(Step("pruning.Magnitude", 0.9, {"scope": "layer"}),), where="fc1")
    found = run(point)
    images = data.load("MNIST")
    pruned = Magnitude("layer").prepare(zoo.load("LeNet-300-100", "MNIST"), images).at(0.9)
    model = KMeans().prepare(pruned, images, "fc1").at(2)
    for split in ("validation", "test"):
        expected = measure(model, images, split)
        assert found["accuracy"][split] == [expected.accuracy.right, expected.accuracy.images]
        assert (found["bytes"], found["parameters"], found["macs"]) == (
            expected.bytes,
            expected.parameters,
            expected.macs,
        )
    assert found["recipe"] is None and found["losses"] == [] and set(found["seconds"]) == {"prepare", "at"}


def test_steps_before_may_treat_one_layer_and_train():
    step = Step("pruning.Magnitude", 0.9, where="fc1", train=SHORT)
    trained, plain = (run(replace(POINT, keep=(one,))) for one in (step, replace(step, train=None)))
    assert trained["accuracy"] != plain["accuracy"] and lasting(run(replace(POINT, keep=(step,)))) == lasting(trained)
    assert plain["parts"]["fc1"] < run(POINT)["parts"]["fc1"] / 2 and sum(plain["parts"].values()) == plain["bytes"]


def test_a_trained_point_gives_the_same_numbers_twice_and_learns():
    point = replace(POINT, train=SHORT, seed=3)
    first = run(point)
    torch.rand(5)  # what ran before must not matter
    assert lasting(run(point)) == lasting(first)
    assert first["accuracy"]["validation"][0] > run(POINT)["accuracy"]["validation"][0]
    assert first["recipe"]["seed"] == 3 and first["recipe"]["batch"] == 2048
    steps = [step for step, _ in first["losses"]]
    assert steps == sorted(steps) and steps[-1] == 55_000 // 2048 and set(first["seconds"]) == {"prepare", "train"}


def test_an_untrained_network_depends_on_its_seed_alone():
    def start(seed: int) -> dict:
        point = Point("LeNet-300-100", "MNIST", "pruning.Magnitude", 0.9, seed=seed, start="scratch")
        return lasting(run(replace(point, train=SHORT | {"learning_rate": 0.1})))

    one = start(1)
    assert one == start(1) and one["accuracy"] != start(2)["accuracy"]
    assert one["accuracy"]["validation"][0] > 2500, "it learned"
    assert one["bytes"] < size(zoo.load("LeNet-300-100", "MNIST")).total / 5, "it is compressed"


def test_what_a_method_refuses_is_raised():
    with pytest.raises(ValueError, match="bits is 40"):
        run(replace(POINT, value=40))


def test_a_learning_curve_is_shortened_by_means():
    losses = [[10 * (index + 1), float(index)] for index in range(1000)]
    short = thinned(losses)
    assert len(short) <= MOST_LOSSES and short[-1][0] == 10_000
    share = short[0][0] // 10
    assert short[0][1] == pytest.approx(sum(range(share)) / share)
    assert thinned([]) == [] and thinned(losses[:5]) == losses[:5]
