"""The sensitivity scan in the panel: it fills in while nobody asks, gives way, and is kept."""

import json
import time

import pytest

from labkit import data, zoo
from labkit.live import explore
from labkit.live.result import Base
from labkit.live.scan import Scan
from labkit.live.views import sensitivity
from labkit.measure import accuracy
from labkit.methods import Knob
from labkit.pruning import Magnitude
from labkit.quantization import BinaryScaled, KMeans
from labkit.sensitivity import strongest

NET = "LeNet-300-100"


def test_a_scan_finds_what_each_layer_loses_and_is_kept(panel):
    panel.set(method="k-means codebook").wait()
    found = panel.scan()
    assert list(found) == ["fc1", "fc2", "fc3"] and all(
        list(curve) == [8, 7, 6, 5, 4, 3, 2, 1] for curve in found.values()
    )
    for layer, bits in (("fc1", 1), ("fc3", 2)):
        model = KMeans().prepare(zoo.load(NET), where=layer).at(bits)
        assert found[layer][bits] == pytest.approx(accuracy(model, data.load()).value, abs=0.1)
    part = panel._stage.parts["picture"]
    assert part["kind"] == "lines" and part["strong"] == "left" and part["shown"] == list("12345678")
    assert part["lines"][0]["values"] == [round(100 * found["fc1"][bits], 1) for bits in range(1, 9)]
    reference = panel._bench.scan(panel._stage.result.choice, panel._stage.base).reference
    assert reference == pytest.approx(panel._stage.subject.evaluator.reference.value, abs=0.01)
    held = strongest(found, 0.01, reference)
    assert all(f"{layer} {bits}" in part["text"] for layer, bits in held.items())
    before = len(panel._bench._scans)
    panel.look("what the method did").set(method="Magnitude pruning").wait().set(method="k-means codebook").wait()
    start = time.perf_counter()
    assert panel.scan() == found and time.perf_counter() - start < 1.5
    assert len(panel._bench._scans) == before
    panel.look("what the method did").wait()


def test_layers_with_knobs_of_their_own_and_one_that_is_refused(panel):
    panel.set(method="Truncated SVD").wait()
    found = panel.scan()
    assert [next(iter(curve)) for curve in found.values()] == [216, 74, 9]
    assert panel._stage.parts["picture"]["shown"][-3:] == ["128", "181", "216"]
    assert "74" in panel._stage.parts["picture"]["shown"]
    panel.look("what the method did").wait()

    class Picky(KMeans):
        title = "not the last one"

        def prepare(self, model, data=None, where=None):
            if where == "fc3":
                raise ValueError("fc3 is not for me")
            return super().prepare(model, data, where)

    picky = explore(NET, Picky())
    assert list(picky.scan()) == ["fc1", "fc2"]
    picky.close()


def test_a_method_for_whole_networks_says_so():
    class Whole(KMeans):
        title = "whole"

        def prepare(self, model, data=None, where=None):
            if where is not None:
                raise ValueError("only whole networks")
            return super().prepare(model, data)

    panel = explore(NET, Whole())
    with pytest.raises(ValueError, match="only whole networks"):
        panel.scan()
    part = panel._stage.parts["picture"]
    assert part["kind"] == "none" and "only whole networks" in part["text"] and panel.state["alert"] == ""
    panel.close()


class Slow(Magnitude):
    """Takes its time over each value of one layer alone."""

    title = "slow"
    knob = Knob("sparsity", "sparsity", (0, 0.5, 0.9, 0.99), 0, percent=True)

    def prepare(self, model, data=None, where=None):
        curve = super().prepare(model, data, where)
        curve.knob = self.knob
        if where is not None:
            quick = curve.at
            curve.at = lambda value: time.sleep(0.15) or quick(value)
        return curve


def test_it_fills_in_while_idle_gives_way_to_the_knob_and_wait_does_not_wait_for_it():
    panel = explore(NET, Slow()).wait()
    panel.look("sensitivity").wait()
    scan = panel._bench.scan(panel._stage.result.choice, panel._stage.base)
    assert not scan.complete
    until = time.monotonic() + 20
    while len(scan.points) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert [layer for layer, _, _ in scan.points[:2]] == ["fc1", "fc2"]
    panel.set(knob=0.5).wait()
    assert not scan.complete and panel.state["knob"] == 0.5
    with pytest.raises(TimeoutError, match="points so far"):
        panel.scan(timeout=0.2)
    panel.look("what the method did").wait()
    time.sleep(0.3)
    count = len(scan.points)
    time.sleep(0.4)
    assert len(scan.points) == count < 12  # nobody looks, so nothing is computed
    assert sum(map(len, panel.scan().values())) == 12
    panel.close()


@pytest.fixture
def deep(panel):
    """A scan of a network with many layers, filled with made-up numbers."""
    scan = Scan(Magnitude().prepare(zoo.load(NET)), Base(zoo.load(NET)), lambda: panel._stage.subject)
    scan.points = [(f"block{index}.conv", value, 0.5) for index in range(22) for value in scan.knob.values]
    return scan


def test_the_lines_of_a_deep_network_fit_into_a_message(deep):
    part = sensitivity.sensitivity(deep, "validation")
    assert len(part["lines"]) == 22 and len(json.dumps(part)) <= 4600


def test_a_knob_that_counts_layers_shows_only_what_one_layer_can_do(panel):
    curve = BinaryScaled().prepare(zoo.load(NET))
    assert curve.knob.values == (0, 1, 2, 3)
    assert sensitivity.axis(curve.knob, {"fc1": {0: 0.9, 1: 0.8}}) == [0, 1]
    assert sensitivity.axis(curve.knob, {}) == [0, 1, 2, 3]
