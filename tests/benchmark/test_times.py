"""Time depends on shapes: what runs alike is timed once, and what decides the shapes is found without training."""

import json

import pytest
import torch

from labkit import zoo
from labkit.benchmark import times
from labkit.benchmark.entries import Entry
from labkit.benchmark.point import Point, Step
from labkit.benchmark.times import read
from labkit.deploy import deployed
from labkit.lowrank import SVD, Tucker2
from labkit.pruning import Magnitude
from labkit.quantization import KMeans, Uniform
from tests.benchmark.workers import FOUND

LENET = ("LeNet-5", "FashionMNIST")


def shape(model):
    return times.shape(deployed(model))


@pytest.fixture(scope="module")
def lenet():
    return zoo.load(*LENET)


def test_shared_and_missing_values_have_the_dense_shapes(lenet):
    for method, value in ((KMeans(), 3), (Uniform(), 4), (Magnitude(), 0.9)):
        assert shape(method.prepare(lenet).at(value)) == shape(lenet)


@pytest.mark.parametrize(
    "point",
    [
        Point(*LENET, "lowrank.SVD", 16),
        Point(*LENET, "lowrank.Tucker2", 16),
        Point(*LENET, "pruning.FilterPruning", 0.5),
        Point(*LENET, "structured.BlockCirculant", 8),
        Point(*LENET, "quantization.KMeans", 3, keep=(Step("lowrank.SVD", 16),)),
    ],
    ids=lambda point: point.method,
)
def test_the_network_of_a_point_has_the_shapes_of_the_method_itself(point, lenet):
    from labkit import data
    from labkit.benchmark import catalogue

    model = lenet
    for step in (*point.keep, point):
        model = catalogue.make(step.method, step.arguments).prepare(model, data.load()).at(step.value)
    assert shape(times.network_of(point)) == shape(model) != shape(lenet)


def test_other_ranks_are_other_shapes(lenet):
    found = {shape(method.prepare(lenet).at(rank)) for method in (SVD(), Tucker2()) for rank in (8, 16)}
    assert len(found) == 4


def test_where_training_decides_nothing_is_timed():
    assert times.network_of(Point(*LENET, "pruning.StructuredSparsity", 0.5, train={"epochs": 1})) is None


def test_the_first_is_the_dense_network_and_its_own_control(lenet):
    dense = deployed(lenet)
    first, other = times.measure(dense, [deployed(SVD().prepare(lenet).at(8))], (1, 28, 28))
    for batch in times.BATCHES:
        assert first[batch].dense and not other[batch].dense
        assert first[batch].faster.value == first[batch].faster.control
        assert other[batch].seconds > 0


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Five results, one of which training shaped, and an empty file of times."""
    named = ("quantization.KMeans", 3), ("pruning.Magnitude", 0.9), ("structured.Circulant", 1), ("lowrank.SVD", 16)
    points = [Point("LeNet-300-100", "MNIST", method, value) for method, value in named]
    points.append(Point("LeNet-300-100", "MNIST", "pruning.StructuredSparsity", 0.5, train={"epochs": 1}))
    monkeypatch.setattr(times, "FILE", tmp_path / "times.jsonl")
    monkeypatch.setattr(times, "read", lambda: read(times.FILE))
    monkeypatch.setattr(times.results, "every", lambda: [Entry(point, FOUND) for point in points])
    return points


def test_every_result_is_timed_once_and_what_has_the_dense_shapes_has_one_time(few, capsys):
    assert times.main([]) == 0
    found, dense = times.read(), times.untouched("LeNet-300-100", "MNIST").key
    assert set(found) == {point.key for point in few} | {dense}
    shared, pruned, circulant, thin, learnt = (found[point.key] for point in few)
    assert shared == pruned == found[dense] and shared[1].dense
    assert circulant != thin and not (circulant[1].dense or thin[1].dense) and learnt == {}
    written = times.FILE.read_text()
    assert times.main([]) == 0 and times.FILE.read_text() == written


def test_a_damaged_line_is_named(tmp_path):
    file = tmp_path / "times.jsonl"
    file.write_text(json.dumps({"key": "a", "batches": {"one": 3}}) + "\n")
    with pytest.raises(ValueError, match="line 1, is damaged"):
        times.read(file)
    assert times.read(tmp_path / "nowhere") == {}


def test_shape_tells_a_type_from_another():
    assert times.shape(torch.nn.Linear(2, 3)) != times.shape(torch.nn.Linear(3, 2))
