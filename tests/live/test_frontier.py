"""The map as a widget: every control, what a click opens, and that the opened model is the one that was shipped."""

from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from labkit.benchmark import results
from labkit.benchmark.point import Point
from labkit.benchmark.spots import TWO
from labkit.live.frontier import frontier
from labkit.live.opening import panel
from labkit.live.views import map as view


@pytest.fixture(scope="module")
def shared():
    page = frontier("LeNet-300-100")
    yield page
    page.close()


@pytest.fixture
def page(shared):
    return shared.choose(network="LeNet-300-100 on FashionMNIST", cost="bytes", method="all methods", spot="")


def result(spot):
    (entry,) = [entry for entry in results.every() if entry.point == spot.point]
    return entry.result


def first(page, test):
    return next(spot for spot in page.shown if test(spot))


def untrained(spot):
    return spot.point.train is None and all(step.train is None for step in spot.point.keep)


@pytest.mark.parametrize("two", [False, True])
def test_what_opens_is_what_was_shipped(page, two):
    """The bytes and the accuracy of the live model are those of the sweep, also behind an earlier step."""
    spot = first(page, lambda one: untrained(one) and bool(one.point.keep) == two and 0.8 < one.accuracy < 0.89)
    panel = page.open(spot.key).wait()
    shipped = result(spot)
    # Behind a step that inverts matrices, the last digit of a sum depends on the number of threads.
    assert panel.state["bytes"] == pytest.approx(shipped["bytes"], rel=2e-3 if two else 0)
    assert panel.state["accuracy"] == pytest.approx(spot.accuracy, abs=4e-3 if two else 1e-9)
    assert panel.state["knob"] == spot.point.value
    assert page.parts["about"]["key"] == spot.key and f"labkit again {spot.key}" in page.parts["about"]["text"]


def test_a_trained_point_says_that_it_opens_untrained(page):
    spot = first(page, lambda one: one.point.train is not None)
    page.choose(spot=spot.key)
    assert "press Fine-tune" in page.parts["about"]["text"]
    assert page.parts["map"]["chosen"] == [float(f"{spot.bytes:.4g}"), round(100 * spot.accuracy, 2)]


def test_the_costs_move_the_map(page):
    seen = {}
    for cost in ("bytes", "macs", "one", "many"):
        seen[cost] = page.choose(cost=cost).parts["map"]
        assert seen[cost]["groups"] and seen[cost]["lines"] and seen[cost]["original"]
        low, high = seen[cost]["range"]
        xs = [dot["x"] for group in seen[cost]["groups"] for dot in group["spots"]]
        assert low < min(xs) <= max(xs) < high
    assert len({part["axis"] for part in seen.values()}) == 4


def test_one_method_alone_is_shown_before_the_whole_frontier(page):
    part = page.choose(method="k-means codebook").parts["map"]
    assert [group["name"] for group in part["groups"]] == ["Quantization"]
    assert {line["name"] for line in part["lines"]} == {"best of one theme", "best of two themes"}
    assert len(page.shown) < len(page._map.spots)


def test_colour_is_not_the_only_sign(page):
    groups = page.parts["map"]["groups"]
    assert len({group["mark"] for group in groups}) == len(groups) >= 5
    assert [group["name"] for group in groups if group["two"]] == [TWO]


def test_the_map_in_words(page):
    assert (
        "best of two themes".capitalize() in page.parts["map"]["text"]
        or "Best of two themes" in page.parts["map"]["text"]
    )
    assert repr(page).startswith("The frontier of LeNet-300-100 on FashionMNIST, size of the file:")


def test_a_guess_is_drawn_on_bytes_alone(page):
    page.guess(50_000, 0.9)
    assert page.parts["map"]["guess"] == [50_000, 90.0]
    assert page.choose(cost="macs").parts["map"]["guess"] is None
    with pytest.raises(ValueError, match="is no point"):
        page.guess(0, 0.9)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"network": "AlexNet"}, "network 'AlexNet'"), ({"cost": "euro"}, "cost 'euro'"), ({"spot": "x"}, "no point 'x'")],
)
def test_what_is_not_there_is_one_sentence(page, wrong, words):
    with pytest.raises(ValueError, match=words):
        page.choose(**wrong)


def test_a_browser_that_asks_for_nonsense_is_told_so(page):
    page._asked(page.open, "nothing")
    assert "there is no point 'nothing'" in page.parts["alert"]
    page._asked(lambda wish: page.choose(**wish), {"colour": "red"})
    assert "colour" in page.parts["alert"]
    page.choose(cost="bytes")
    assert page.parts["alert"] == ""


def test_a_network_that_is_not_shipped_cannot_be_opened():
    with pytest.raises(ValueError, match="a trained MLP-1000 on MNIST is not shipped"):
        panel(Point("MLP-1000", "MNIST", "pruning.HashedNets", 0.125, start="scratch")).close()


def test_labels():
    spot = SimpleNamespace(cost=lambda of: {"bytes": 12_345, "macs": 2e6, "one": None}[of], accuracy=0.9, title="x")
    assert [view.label(spot, cost) for cost in ("bytes", "macs", "one")] == [
        "12.3 KB, 90.00 %: x",
        "2.00 M, 90.00 %: x",
        "not timed, 90.00 %: x",
    ]


def test_the_widget_carries_its_scripts_and_words(page):
    bundle, _ = page._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle and bundle["text/plain"] == repr(page)
    root = ElementTree.fromstring(bundle["image/svg+xml"])
    assert "Best of two themes" in next(one for one in root.iter() if one.tag.endswith("title")).text
    dots = [dot for group in page.parts["map"]["groups"] for dot in group["spots"]]
    shown = [dot for dot in dots if dot["y"] >= page.parts["map"]["span"][0]]
    drawn = [one for one in root.iter() if one.tag.endswith(("circle", "polygon"))]
    assert len(drawn) == len(shown) + len(page.parts["map"]["groups"]) + 1, "each spot, the legend, the original"
