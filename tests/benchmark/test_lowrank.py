"""The tables of low rank show what was published and what was run, and time what has the shapes of the methods."""

import pytest

from labkit import storage, zoo
from labkit.benchmark import catalogue, lowrank, shaped, spec
from labkit.benchmark.point import Point, Step
from labkit.benchmark.report import NOTHING
from labkit.benchmark.results import Entry
from labkit.layers import layers
from labkit.macs import macs

SPECS = ("lowrank", "lowrank_trained", "lowrank_tucker", "lowrank_epochs")


def entry(point: Point, right: int, size: int = 1000, numbers: int = 250) -> Entry:
    found = {"accuracy": {"validation": [1, 2], "test": [right, 10_000]}, "bytes": size, "parameters": numbers}
    return Entry(point, found)


def test_what_was_not_run_is_said(write):
    table = lowrank.table_two()
    ours = [row for row in table.rows if row[0][0].endswith("ours")]
    assert [row[1:] for row in ours] == [[NOTHING] * 4] * 4 and len(table.rows) == 9 + 8
    assert lowrank.tucker().rows[1][2:] == [NOTHING] * 3 and "trained not at all so far" in lowrank.tucker().note
    assert all(cell == NOTHING for row in lowrank.retraining().rows for cell in row[2:])


def test_the_surveys_table_is_printed_as_it_stands(write):
    rows = {row[0][0]: [cell[0] for cell in row[1:]] for row in lowrank.table_two(()).rows}
    assert rows["AlexNet, published"] == ["80.03 % [S]", "1", "1", "not stated"]
    assert rows["AlexNet, published, BN low-rank"] == ["80.56 % [S]", "× 1.09 [S]", "4.94× [S]", "not stated"]
    assert rows["GoogLeNet, published, CP low-rank"] == ["91.79 % [S]", "× 1.20 [S]", "2.84× [S]", "not stated"]
    assert len(rows) == 9


def test_ours_have_seeds_bytes_and_a_measured_time(write):
    train = {"epochs": 2}
    points = [Point("LeNet-5", "FashionMNIST", "lowrank.Spatial", 45, seed=seed, train=train) for seed in (0, 1)]
    write("lowrank_trained", entry(points[0], 9250, 400_000), entry(points[1], 9240, 400_000))
    write("lowrank_trained", entry(Point("LeNet-5", "FashionMNIST", "lowrank.OneShotTucker", 1, train=train), 9200))
    write("lowrank_trained", entry(Point("LeNet-5", "MNIST", "lowrank.SVD", 45, train=train), 9900))
    dense, spatial, oneshot = lowrank.table_two(("LeNet-5",), batch=1, rounds=3).rows[9:]
    assert dense[1] == ("92.75 %", "") and dense[2:] == [("1", "")] * 3
    assert spatial[0][0] == "LeNet-5, Spatial scheme, rank 45"
    assert spatial[1] == ("92.45 %", "92.40 to 92.50, 2 seeds")
    assert float(spatial[2][0].removeprefix("× ")) > 0 and " to " in spatial[2][1]
    assert spatial[3] == (f"{storage.size(zoo.build('LeNet-5')).total / 400_000:.2f}×", "400,000 bytes")
    model = zoo.load("LeNet-5")
    small = catalogue.make("lowrank.Spatial", {}).prepare(model).at(45)
    assert spatial[4][0] == f"{macs(model, (1, 28, 28)) / macs(small, (1, 28, 28)):.2f}×"
    assert oneshot[0][0].endswith("share 100 %") and oneshot[2] == oneshot[4] == NOTHING, "its ranks are not known here"


@pytest.mark.parametrize("name", list(shaped.KERNELS))
@pytest.mark.parametrize("rank", [2, 32])
def test_the_shapes_that_are_timed_are_those_of_the_method(name, rank):
    """At rank 32 some layers are left alone. What looks at pictures has the shapes of what does not."""
    model = zoo.load("LeNet-5")
    method = catalogue.make("lowrank.SVD" if name == "lowrank.ActivationSVD" else name, {})
    real, zeros = method.prepare(model).at(rank), shaped.shaped(model, name, rank)
    for path, layer in layers(real).items():
        other = layers(zeros)[path].weight
        assert type(other) is type(layer.weight), path
        assert [part.shape for part in other.parameters()] == [part.shape for part in layer.weight.parameters()], path
    assert macs(real, (1, 28, 28)) == macs(zeros, (1, 28, 28))
    assert shaped.shaped(model, "lowrank.TensorTrain", rank) is None


def test_tucker_stands_beside_the_paper(write):
    keep = (Step("lowrank.Tucker2", 32, where="conv2"),)
    for seed, right in enumerate((9910, 9920)):
        point = Point(
            "LeNet-5", "MNIST", "lowrank.Tucker2", 128, "plain", where="fc1", seed=seed, train={"epochs": 4}, keep=keep
        )
        write("lowrank_tucker", entry(point, right, numbers=190_480))
    table = lowrank.tucker()
    theirs, ours = table.rows
    assert [cell[0] for cell in theirs] == ["Tucker-2, Wang 2018", "0.79 % [S]", "0.85 % [S]", "189,000 [S]", "2× [S]"]
    before = 100 * (1 - zoo.card("LeNet-5", "MNIST", "plain")["accuracy"]["test"])
    assert ours == [
        ("Tucker-2, ours", ""),
        (f"{before:.2f} %", ""),
        ("0.85 %", "0.80 to 0.90, 2 seeds"),
        ("190,480", ""),
        (f"{431_080 / 190_480:.2f}×", ""),
    ]
    assert "ours was trained 4 epochs after it was cut" in table.note


def test_epochs_are_counted_from_none_on(write):
    def point(epochs, seed=0):
        train = {"epochs": epochs} if epochs else None
        return Point("LeNet-300-100", "FashionMNIST", "lowrank.SVD", 16, seed=seed, train=train)

    write("lowrank_epochs", entry(point(0), 5000, 100_000), entry(point(1), 8800), entry(point(1, 1), 8820))
    table = lowrank.retraining()
    first = table.rows[0]
    assert table.columns == ("network", "before", "0 epochs", "1 epoch", "2 epochs", "4 epochs")
    assert first[0] == ("LeNet-300-100, Truncated SVD, rank 16", "10.7× smaller")
    assert first[1:] == [
        ("90.09 %", ""), ("50.00 %", ""), ("88.10 %", "88.00 to 88.20, 2 seeds"), NOTHING, NOTHING,
    ]  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_a_sweep_names_what_there_is(name):
    points = spec.points(spec.read(name))
    assert all(point.method.startswith("lowrank.") for point in points) and len(points) < 250
    if name == "lowrank_epochs":
        told = {(point.network, point.method, point.value) for point in points}
        assert told == set(lowrank.RETRAINED)
        counts = {(0 if point.train is None else point.train.get("epochs", 10)) for point in points}
        assert counts == set(lowrank.EPOCHS)
    if name == "lowrank_tucker":  # what the keep and the point make of LeNet-5, from their shapes alone
        (point,) = (one for one in points if one.keep and one.seed == 0)
        model, numbers = zoo.build("LeNet-5"), zoo.parameters(zoo.build("LeNet-5"))
        for where, rank in [(step.where, step.value) for step in point.keep] + [(point.where, point.value)]:
            shape = tuple(model.get_submodule(where).weight.shape)
            make = shaped.tucker if len(shape) == 4 else shaped.matrix
            numbers += sum(part.numel() for part in make(shape, rank).parameters())
            numbers -= model.get_submodule(where).weight.numel()
        assert numbers == pytest.approx(lowrank.TUCKER_NUMBERS, rel=0.01)
