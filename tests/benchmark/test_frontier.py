"""The map of all results: what nothing beats by brute force, and every point on it as the sweeps left it."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import zoo
from labkit.benchmark import catalogue, results, times
from labkit.benchmark.edges import edges
from labkit.benchmark.frontier import best, single, smallest
from labkit.benchmark.point import Point, Step
from labkit.benchmark.spots import THEMES, TWO, Spot, survey, theme

POINT = Point("LeNet-5", "MNIST", "quantization.KMeans", 4)


def spot(size: float, accuracy: float) -> Spot:
    return Spot(POINT, "", "", accuracy, accuracy, accuracy, accuracy, 1, size, 1)


PAIRS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=30)


@given(PAIRS)
def test_the_frontier_is_what_no_other_beats(pairs):
    spots = [spot(size, right / 10) for size, right in pairs]

    def beats(one, other):
        no_worse = one.bytes <= other.bytes and one.accuracy >= other.accuracy
        return no_worse and (one.bytes, one.accuracy) != (other.bytes, other.accuracy)

    left = {(one.bytes, one.accuracy) for one in spots if not any(beats(other, one) for other in spots)}
    found = best(spots)
    assert [(one.bytes, one.accuracy) for one in found] == sorted(left)


@given(PAIRS, st.floats(0, 1))
def test_the_smallest_is_on_the_frontier(pairs, bar):
    spots = [spot(size, right / 10) for size, right in pairs]
    found = smallest(spots, bar)
    good = [one.bytes for one in spots if one.accuracy >= bar]
    assert (found.bytes if found else None) == (min(good) if good else None)
    if found:
        assert found.bytes == smallest(best(spots), bar).bytes


def test_what_was_not_timed_is_not_on_the_frontier_of_time():
    assert best([spot(1, 0.5)], "one") == []
    with pytest.raises(ValueError, match="cost is 'weight'"):
        spot(1, 0.5).cost("weight")


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (POINT, "Quantization"),
        (replace(POINT, keep=(Step("quantization.Uniform", 4),)), "Quantization"),
        (replace(POINT, keep=(Step("lowrank.SVD", 4),)), TWO),
        (replace(POINT, method="pruning.DeepCompression", value=0.9), TWO),
        (replace(POINT, method="filters.P4"), "Transferred filters"),
    ],
)
def test_themes(point, expected):
    assert theme(point) == expected


def test_every_section_has_a_theme():
    assert set(catalogue.SECTIONS) == set(THEMES)


@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5", "VGG", "ResNet-20"])
def test_the_shipped_map(name):
    found = survey(name, split="test")
    keys = {replace(e.point, seed=0).key for e in results.every() if e.point.network == name and e.point.where is None}
    assert {one.key for one in found.spots} <= keys
    assert len(found.spots) > 100 and any(one.theme == TWO for one in found.spots)
    assert found.original.accuracy == zoo.card(name, "FashionMNIST")["accuracy"]["test"]
    assert all(one.test == one.accuracy for one in found.spots), "the test split was asked for"
    assert all(one.low <= one.accuracy <= one.high for one in found.spots)


@pytest.mark.parametrize(
    ("name", "two"), [("LeNet-300-100", True), ("LeNet-5", True), ("VGG", True), ("ResNet-20", False)]
)
def test_two_themes_win_within_a_point_but_on_the_narrow_network(name, two):
    """What the notebook asks about: binary weights of ResNet-20 are smaller than what was composed for it."""
    found = survey(name)
    bar = found.original.accuracy - 0.01
    assert (smallest(found.spots, bar).theme == TWO) == two
    one = smallest(single(found.spots), bar)
    (row,) = edges(0.01, [name]).rows
    assert row[2][0] == f"{one.bytes:,.0f} bytes" and f"{100 * one.test:.2f} %" in row[2][1]


def test_most_points_are_timed_and_quantization_saves_no_time():
    timed = times.read()
    for name in ("LeNet-300-100", "LeNet-5", "VGG", "ResNet-20"):
        spots = survey(name).spots
        known = [one for one in spots if one.timed]
        assert len(known) > 0.9 * len(spots)
        for one in known:
            assert set(one.timed) == set(times.BATCHES) and all(math.isfinite(t.seconds) for t in one.timed.values())
        dense = [one for one in known if one.timed[1].dense]
        assert {one.theme for one in dense} >= {"Quantization", "Pruning and sharing"}
        assert {one.timed[1].seconds for one in dense} == {timed[times.untouched(name, "FashionMNIST").key][1].seconds}


def test_names_that_are_not_there():
    with pytest.raises(ValueError, match="there are no results of AlexNet"):
        survey("AlexNet")
    with pytest.raises(ValueError, match="split is 'train'"):
        survey(split="train")
    with pytest.raises(ValueError, match="take the key of one that is"):
        survey("LeNet-5").spot("nothing")


def test_every_method_of_the_lab_has_results_on_one_of_the_four_networks():
    """Rivals that only ever stand beside another method may have results elsewhere."""
    four = {"LeNet-300-100", "LeNet-5", "VGG", "ResNet-20"}
    run = {entry.point.method for entry in results.every() if entry.point.network in four}
    every = {
        f"{section}.{method.__name__}"
        for section in catalogue.sections()
        for method in __import__(f"labkit.{section}", fromlist=["METHODS"]).METHODS
    }
    assert every <= run
    counted = {name: sum(e.point.network == name for e in results.every()) for name in four}
    assert min(counted.values()) > 100, list(itertools.islice(counted.items(), 4))
