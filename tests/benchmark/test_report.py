"""The tables beside the papers' numbers: each number is one that was measured or printed."""

import pytest

from labkit.benchmark import beside, cells, report, results
from labkit.benchmark.point import Point
from labkit.benchmark.results import Entry, Mark
from labkit.measure import Accuracy


def entry(value: float, right: int, size: int, **more) -> Entry:
    point = Point("LeNet-5", "FashionMNIST", "quantization.Ternary", value, **more)
    return Entry(point, {"accuracy": {"validation": [1, 2], "test": [right, 10_000]}, "bytes": size})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, one in enumerate([
        entry(0, 9275, 1000),
        entry(4, 5000, 50),
        entry(4, 9003, 50, train={"epochs": 1}),
        entry(4, 9101, 50, train={"epochs": 1}, seed=1),
        entry(4, 100, 10, where="fc1"),
    ]):  # fmt: skip
        results.append(f"sweep{name}", one, tmp_path)
    curves = results.curves
    monkeypatch.setattr(results, "curves", lambda *names, **options: curves(*names, **options, folder=tmp_path))


def test_losses_are_those_of_the_strongest_value_before_and_after_training(folder):
    table = report.losses(["quantization.Ternary"], networks=["LeNet-5"])
    assert table.columns == ["method", "LeNet-5 (92.75 %)"]
    before, after = table.rows
    assert before == (("Ternary weights, not trained", ""), ("42.8", "1 seed"))  # 92.75 - 50.00
    assert after == (("Ternary weights, trained", ""), ("2.2", "1.7 to 2.7, 2 seeds"))  # 92.75 - 90.52


def test_what_was_not_run_is_said(folder):
    table = report.losses(["quantization.Ternary"], networks=["VGG"])
    assert [row[1] for row in table.rows] == [report.NOTHING, report.NOTHING]


def test_half_of_an_interval_is_that_of_the_test_split():
    found = Accuracy(9_300, 10_000)
    assert report.half_interval(0.93) == pytest.approx(50 * (found.high - found.low))


def test_the_loss_aware_rows_are_the_papers_and_the_shipped_runs():
    table = beside.loss_aware()
    assert [row[0][0] for row in table.rows] == ["full precision", "BinaryConnect", "BWN", "LAB"]
    assert [row[1][0] for row in table.rows] == ["1.19 % [S]", "1.28 % [S]", "1.2 % [S]", "1.17 % [S]"]
    assert all("[M-M]" in row[2][0] for row in table.rows)
    shipped = [found for found in results.read("loss_aware") if found.point.method == "quantization.LossAware"]
    errors = [100 - found.result["accuracy"]["test"][0] / 100 for found in shipped]
    assert len(errors) == 3 and table.rows[3][3][0] == f"{sum(errors) / 3:.2f} %"


@pytest.mark.parametrize(("network", "layers"), [("LeNet-300-100", 3), ("LeNet-5", 4)])
def test_deep_compression_counts_all_bytes_of_a_layer(network, layers):
    table = beside.deep_compression(network)
    assert len(table.rows) == layers + 1
    shares = [float(row[3][0].split()[0]) for row in table.rows]
    printed = [float(row[2][0].split()[0]) for row in table.rows]
    assert shares[-1] == pytest.approx(printed[-1], rel=0.1)  # 39 and 40 times, within a tenth
    assert cells.error(Mark(4, 10, 0.98, 0.975, 0.985, 3)) == ("2.00 %", "1.50 to 2.50, 3 seeds")
