"""The tables of distillation show what was published and what was run, and the papers' orders hold in ours."""

import math
import re
from statistics import mean

import pytest

from labkit.benchmark import distillation, published, results, spec
from labkit.benchmark.point import Point, Step
from labkit.benchmark.report import NOTHING
from labkit.benchmark.results import Entry
from labkit.course.widths import curve, student_curves

SPECS = (
    "distillation",
    "distillation_hinton",
    "distillation_fitnets",
    "distillation_methods",
    "distillation_teachers",
    "distillation_then",
)
TABLES = (distillation.hinton, distillation.fitnets, distillation.methods, distillation.teachers, distillation.then)


def entry(point: Point, right: int, numbers: int = 250) -> Entry:
    found = {"accuracy": {"validation": [1, 2], "test": [right, 10_000]}, "bytes": 1000, "parameters": numbers}
    return Entry(point, found)


def errors(sweep: str, network: str, method: str, value: float) -> list[float]:
    """The test errors of the seeds in percent, in the order of the seeds."""
    found = {}
    for one in results.read(sweep):
        if (one.point.network, one.point.method, one.point.value) == (network, f"distillation.{method}", value):
            right, of = one.result["accuracy"]["test"]
            found[one.point.seed] = 100 * (1 - right / of)
    return [found[seed] for seed in sorted(found)]


@pytest.mark.parametrize("name", SPECS)
def test_every_point_of_the_sweeps_was_run_and_none_failed(name):
    wanted = {point.key for point in spec.points(spec.read(name))}
    found = results.read(name)
    assert {one.point.key for one in found if one.result} == wanted and all(one.result for one in found)


def hinton(method: str) -> list[float]:
    return errors("distillation_hinton", "MLP-2x800", method, 1)


def test_hintons_order_holds_for_every_seed_and_the_controls_lie_above():
    """146 errors alone and 74 with a teacher; what is as unsure and knows nothing lies between."""
    plain, taught, smoothed, shuffled = map(hinton, ("LabelsAlone", "SoftTargets", "SmoothedLabels", "ShuffledTeacher"))
    assert len(plain) == len(taught) == len(smoothed) == len(shuffled) == 3
    assert max(taught) < min(smoothed) and max(smoothed) < min(plain) and max(smoothed) < min(shuffled)


@pytest.mark.parametrize(("method", "stated"), [("LabelsAlone", "plain student"), ("SoftTargets", "distilled student")])
def test_our_errors_are_those_of_hinton_within_what_the_test_split_can_tell(method, stated):
    """Two counts of errors differ by more than two standard deviations in one case of twenty."""
    (row,) = published.rows(paper="hinton2015", method=stated)
    theirs, ours = 100 * row.error_percent, 100 * mean(hinton(method))
    assert abs(ours - theirs) < 2 * math.sqrt(ours + theirs)


def test_fitnets_order_holds_on_average():
    """1.9, 0.65 and 0.51 % there. Neighbours are nearer than one seed can tell, the ends are apart for every seed."""
    names = ("LabelsAlone", "SoftTargets", "Hints")
    plain, taught, hinted = (errors("distillation_fitnets", "VGG", name, 0.25) for name in names)
    assert len(plain) == len(taught) == len(hinted) == 3
    assert mean(hinted) < mean(taught) < mean(plain) and max(hinted) < min(plain)


@pytest.mark.parametrize("network", ["VGG", "LeNet-5"])
def test_a_teacher_helps_a_large_student_and_holds_back_a_tiny_one_for_every_seed(network):
    large = 0.5 if network == "VGG" else 1
    tiny, whole = (
        [errors("distillation", network, name, width) for name in ("LabelsAlone", "SoftTargets")]
        for width in (0.0625, large)
    )
    assert max(tiny[0]) < min(tiny[1])
    assert all(taught < plain for plain, taught in zip(*whole, strict=True))


def test_a_shuffled_teacher_is_worse_than_a_true_one_for_every_seed_on_clothes():
    true = errors("distillation", "VGG", "SoftTargets", 0.25)
    shuffled = errors("distillation_methods", "VGG", "ShuffledTeacher", 0.25)
    assert len(true) == len(shuffled) == 3 and max(true) < min(shuffled)


def test_what_was_not_run_is_said(write):
    for table in TABLES:
        assert any(NOTHING in row for row in table().rows)
    assert "no epochs" in distillation.hinton().note and "not run" in repr(student_curves())


def test_ours_have_seeds_and_the_papers_their_marks(write):
    train = {"epochs": 2}
    points = [
        Point("MLP-2x800", "MNIST", "distillation.LabelsAlone", 1, seed=seed, train=train, start="scratch")
        for seed in (0, 1)
    ]
    write("distillation_hinton", entry(points[0], 9_850), entry(points[1], 9_860))
    rows = {row[0][0]: row for row in distillation.hinton().rows}
    assert rows["Plain student"][1:] == [("1.46 % [S]", ""), ("1.45 %", "1.40 to 1.50, 2 seeds")]
    assert rows["Teacher"][1:] == [("0.67 % [S]", ""), ("0.72 %", "1 seed")]
    assert "2 epochs" in distillation.hinton().note
    keep = (Step("distillation.SoftTargets", 0.25, train=train),)
    write("distillation_then", entry(Point("VGG", "FashionMNIST", "quantization.KMeans", 4, keep=keep), 9_000))
    assert distillation.then().rows[3][1:] == [("1,000 bytes", ""), ("90.00 %", "1 seed")]


def test_curves_show_each_width_with_the_range_of_its_seeds():
    drawn = student_curves()
    for network in ("VGG", "LeNet-5"):
        for name in ("LabelsAlone", "SoftTargets"):
            found = curve(network, name)
            assert [mark.value for mark in found] == [0.0625, 0.125, 0.25, 0.5, 1]
            assert all(mark.seeds == 3 and mark.low <= mark.accuracy <= mark.high for mark in found)
            assert f"{100 * (1 - found[0].accuracy):.1f} % at" in repr(drawn)
    assert len(re.findall("<circle", drawn.svg)) >= 20 and repr(drawn) in drawn.svg.replace("&#x27;", "'")
