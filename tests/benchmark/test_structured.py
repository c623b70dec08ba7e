"""The tables of structured matrices show what was published and what was run, and the paper's order holds in ours."""

import pytest

from labkit.benchmark import published, results, spec, structured
from labkit.benchmark.point import Point
from labkit.benchmark.report import NOTHING
from labkit.benchmark.results import Entry
from labkit.benchmark.structured import LOW_RANK, RANKS, TOEPLITZ, gaps_at

SPECS = ("structured", "structured_noise", "structured_trained", "structured_lenet5")


def entry(point: Point, right: int, of: int = 50_000, numbers: int = 250) -> Entry:
    found = {"accuracy": {"validation": [1, 2], "test": [right, of]}, "bytes": 1000, "parameters": numbers}
    return Entry(point, found)


@pytest.mark.parametrize("name", SPECS)
def test_every_point_of_the_sweeps_was_run_and_none_failed(name):
    wanted = {point.key for point in spec.points(spec.read(name))}
    found = results.read(name)
    assert {one.point.key for one in found if one.result} == wanted and all(one.result for one in found)


@pytest.mark.parametrize("rank", RANKS)
def test_toeplitz_like_is_far_above_low_rank_at_equal_parameters(rank):
    """The order of Thomas 2018, for every seed: there the gap is 38, 30, 22 and 17 points."""
    stated = {row.method: row.error_percent for row in published.rows(paper="thomas2018", protocol=f"rank {rank}")}
    assert stated["Low-rank"] - stated["Toeplitz-like"] > 15
    gaps = gaps_at(rank)
    assert len(gaps) == 3 and min(gaps) > 0.1


def test_both_store_as_many_numbers_as_the_paper_says():
    for found in results.read("structured_noise"):
        if found.point.method in (TOEPLITZ, LOW_RANK):
            assert found.result["parameters"] == 8634 + 1568 * found.point.value


def test_the_published_curve_is_printed_as_it_stands(write):
    rows = {row[0][0]: [cell[0] for cell in row[1:]] for row in structured.noise().rows}
    assert rows["Toeplitz-like, Thomas 2018"] == ["62.5 % [S]", "68.1 % [S]", "67.6 % [S]", "71.2 % [S]", ""]
    assert rows["Low-rank, Thomas 2018"] == ["24.0 % [S]", "37.7 % [S]", "45.8 % [S]", "54.6 % [S]", ""]
    assert rows["Fastfood, Dao 2019"][-1] == "63.5 % [S2]" and rows["Dense, Thomas 2018"][-1] == "67.6 % [S]"
    assert rows["Dense, ours"][-1] == NOTHING[0] and "Ours was not run." in structured.noise().note


def test_what_was_not_run_is_said(write):
    assert structured.fastfood().rows[-1][1:] == [NOTHING] * 3
    assert len(structured.equal_parameters().rows) == 1  # the dense network


def test_ours_have_seeds_and_numbers(write):
    points = [
        Point("MLP-784", "MNIST-noise", method, 2, seed=seed, train={"epochs": 1}, start="scratch")
        for method in (TOEPLITZ, LOW_RANK)
        for seed in (0, 1)
    ]
    write(
        "structured_noise",
        *(entry(one, right) for one, right in zip(points, (30_000, 31_000, 20_000, 20_500), strict=True)),
    )
    assert gaps_at(2) == pytest.approx([0.2, 0.21]) and "20 to 21 points above low rank" in structured.ordering()
    row = next(row for row in structured.noise().rows if row[0][0] == "Toeplitz-like, ours")
    assert row[2] == ("61.00 %", "60.00 to 62.00, 2 seeds") and row[1] == ("", "")
    small = Point("LeNet-300-100", "FashionMNIST", "structured.Monarch", 4, train={"epochs": 3})
    write("structured_trained", entry(small, 8500, 10_000, 7_346))
    assert structured.equal_parameters().rows[0][1:] == [("7,346", ""), ("1,000 bytes", ""), ("85.00 %", "1 seed")]
