"""The tables of transferred filters show what was published and what was run, and the papers' order holds in ours."""

import pytest

from labkit.benchmark import filters, published, results, spec
from labkit.benchmark.point import Point
from labkit.benchmark.report import NOTHING
from labkit.benchmark.results import Entry

SPECS = ("filters", "filters_trained", "filters_scratch", "filters_compact", "filters_rotated", "filters_upright")


def entry(point: Point, right: int, of: int = 10_000, numbers: int = 250) -> Entry:
    found = {"accuracy": {"validation": [1, 2], "test": [right, of]}, "bytes": 1000, "parameters": numbers}
    return Entry(point, found)


def errors(sweep: str, network: str, method: str, value: float) -> list[float]:
    """The test errors of all seeds in percent."""
    found = []
    for one in results.read(sweep):
        if (one.point.network, one.point.method, one.point.value) == (network, f"filters.{method}", value):
            right, of = one.result["accuracy"]["test"]
            found.append(100 * (1 - right / of))
    return found


@pytest.mark.parametrize("name", SPECS)
def test_every_point_of_the_sweeps_was_run_and_none_failed(name):
    wanted = {point.key for point in spec.points(spec.read(name))}
    found = results.read(name)
    assert {one.point.key for one in found if one.result} == wanted and all(one.result for one in found)


def test_the_table_of_the_survey_can_be_run_on_its_own_data():
    points = spec.points(spec.read("filters_cifar10"))
    assert {point.data for point in points} == {"CIFAR10"} and len(points) == 15


def test_four_orientations_beat_plain_filters_on_turned_digits_and_pooling_early_lies_between():
    """The order of Cohen 2016, for every seed: 5.03, 3.21 and 2.28 % there."""
    stated = [published.rows(paper="cohen2016", network=name)[0].error_percent for name, *_ in filters.TURNED]
    assert stated == [5.03, 3.21, 2.28]
    plain, pooled, p4 = (
        errors("filters_rotated", *one)
        for one in (("Z2CNN", "Thinner", 1), ("P4CNN-pooled", "P4", 4), ("P4CNN", "P4", 4))
    )
    assert len(plain) == len(p4) == 3 and min(plain) > max(pooled) and min(pooled) > max(p4)
    untied = errors("filters_rotated", "P4CNN", "P4", 1)  # four times as many numbers, and no rule
    assert min(untied) > max(p4)


def test_on_upright_clothes_the_same_rule_costs():
    plain, p4 = errors("filters_upright", "Z2CNN", "Thinner", 1), errors("filters_upright", "P4CNN", "P4", 4)
    assert len(plain) == len(p4) == 3 and sum(p4) > sum(plain)


def test_the_survey_is_printed_as_it_stands():
    rows = {row[0][1]: row for row in filters.table_three().rows}
    assert rows["CRELU"][1] == ("9.92 % [S]", "factor 2") and rows["DCNN"][1] == ("9.65 % [S]", "factor 1.62")
    assert rows["CRELU"][3][0] == rows["MBA"][3][0] == "2.00" and rows["CIRC"][3][0] == "4.00"
    assert rows["DCNN"][3][0] == "2.25"  # 16 numbers for four filters of 9


def test_what_was_not_run_is_said(write):
    for table in (filters.table_three(), filters.rotated(), filters.upright(), filters.compact()):
        assert any(NOTHING in row for row in table.rows) and "no epochs" in table.note


def test_ours_have_seeds_and_numbers(write):
    points = [
        Point("Z2CNN", "MNIST-rotated", "filters.Thinner", 1, seed=seed, train={"epochs": 2}, start="scratch")
        for seed in (0, 1)
    ]
    write("filters_rotated", entry(points[0], 9_500), entry(points[1], 9_400))
    row = filters.rotated().rows[0]
    assert row[1:] == [("5.03 % [S2]", ""), ("5.50 %", "5.00 to 6.00, 2 seeds"), ("250", "")]
    assert "2 epochs" in filters.rotated().note
    write("filters_compact", entry(Point("VGG", "FashionMNIST", "filters.Fire", 0.25, train={"epochs": 2}), 9_000))
    assert filters.compact().rows[0][1:] == [("6,343,680", ""), ("250", ""), ("10.00 %", "1 seed")]
