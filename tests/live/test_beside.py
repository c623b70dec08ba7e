"""Other methods beside the chosen one: at the same value, after it, and gone as soon as the knob moves on."""

import json
from xml.etree import ElementTree

import pytest

from labkit import data, storage, zoo
from labkit.distillation import LabelsAlone, SoftTargets
from labkit.live import explore
from labkit.live.beside import Beside
from labkit.measure import accuracy
from labkit.methods import Knob
from labkit.pruning import Magnitude
from labkit.quantization import KMeans, Uniform

NET = "LeNet-300-100"
PLAIN, EACH = "Magnitude pruning", "the same in each layer"


class InEachLayer(Magnitude):
    def __init__(self, title=EACH):
        super().__init__("layer")
        self.title = title


class Coarse(Magnitude):
    """Has the same knob with other values."""

    title = "two values only"
    knob = Knob("sparsity", "sparsity", (0, 0.5), 0, percent=True)

    def prepare(self, model, data=None, where=None):
        curve = super().prepare(model, data, where)
        curve.knob = self.knob
        return curve


class Broken(Magnitude):
    title = "never works"

    def prepare(self, model, data=None, where=None):
        raise ValueError("not here")


@pytest.fixture(scope="module")
def compared():
    opened = explore(NET, [Magnitude(), InEachLayer(), Coarse(), Broken(), KMeans()], beside=True).wait()
    yield opened
    opened.close()


def test_what_stands_beside_is_what_was_measured(compared):
    state = compared.set(method=PLAIN, where="whole network").set(knob=0.9).wait().state
    assert list(state["beside"]) == [EACH]  # one lacks the value, one fails, one has another knob
    model = InEachLayer().prepare(zoo.load(NET)).at(0.9)
    exact = accuracy(model, data.load(), "validation").value
    assert state["beside"][EACH] == {"accuracy": exact, "bytes": storage.size(model).total}
    part = compared._stage.parts["beside"]
    (point,) = part["points"]
    assert point["name"] == EACH and not point["estimate"] and not point["late"] and EACH in part["text"]
    assert list(compared.set(knob=0.5).wait().state["beside"]) == [EACH, "two values only"]


def test_they_follow_into_a_layer_and_change_places_with_the_chosen_one(compared):
    compared.set(method=PLAIN, where="fc2").set(knob=0.9).wait()
    model = InEachLayer().prepare(zoo.load(NET), where="fc2").at(0.9)
    assert compared.state["beside"][EACH]["bytes"] == storage.size(model).total
    compared.set(method=EACH).wait().set(knob=0.9).wait()
    assert list(compared.state["beside"]) == [PLAIN]
    marks = [point["mark"] for point in compared._stage.parts["beside"]["points"]]
    assert marks == [0]  # as before: the first method of the panel
    compared.set(method="k-means codebook").wait()
    assert compared.state["beside"] == {} and compared._stage.parts["beside"]["points"] == []


def test_the_chosen_method_is_shown_first_and_the_others_stop_when_the_knob_moves(compared):
    compared.set(method=PLAIN, where="whole network").set(knob=0.8).wait()
    stage = compared._stage
    sent = []
    stage.send = sent.append
    try:
        steps = stage.show(
            stage.bench.settle(stage.result.choice.__class__(PLAIN, NET, "FashionMNIST", value=0.97), stage.base),
            lambda: bool(sent),
        )
        next(steps)
        assert "tradeoff" in sent[0] and sent[0]["beside"]["points"][0]["late"]
        list(steps)
        assert not any("beside" in parts and not parts["beside"]["points"][0]["late"] for parts in sent)
    finally:
        stage.send = compared._send
    assert compared.state["beside"] == {}
    assert list(compared.set(knob=0.97).wait().state["beside"]) == [EACH]


def test_no_tick_is_larger_than_five_kilobytes_with_four_methods():
    panel = explore(
        NET, [Magnitude(), InEachLayer(), InEachLayer("a third one"), InEachLayer("and a fourth")], beside=True
    ).wait()
    sent = []
    panel._stage.send = lambda parts: sent.append(len(json.dumps(parts)))
    for value in (0.5, 0.9, 0.99):
        panel.set(knob=value).wait()
    assert len(panel.state["beside"]) == 3 and max(sent) <= 4600
    drawn = " ".join(ElementTree.fromstring(panel._repr_mimebundle_()[0]["image/svg+xml"]).itertext())
    assert "a third one" in drawn
    panel.close()


def test_without_being_asked_for_nothing_is_computed(monkeypatch):
    monkeypatch.setattr(Beside, "_coarse", lambda self, choice: pytest.fail("computed all the same"))
    panel = explore(NET, [KMeans(), Uniform()]).wait()
    assert panel.set(knob=4).wait().state["beside"] == {}
    assert panel._stage.parts["beside"] == {"points": [], "text": ""}
    panel.close()


def test_training_moves_those_beside_too_and_they_stay_until_the_knob_moves(monkeypatch):
    monkeypatch.setattr("labkit.live.actions.TUNE_S", 2.0)
    monkeypatch.setattr("labkit.live.actions.SPAN_S", 0.0)
    panel = explore(NET, [SoftTargets(), LabelsAlone(), Broken()], beside=True, knob=0.25).wait(120)
    before = panel.look("learning curves").wait(120)._stage.parts["picture"]
    panel.look("what the method did")
    sent = []
    send, panel._stage.send = panel._stage.send, lambda parts: sent.append(parts)
    state = panel.press("tune").wait(120).state
    panel._stage.send = send
    assert state["tuned"] and state["accuracy"] > 0.5 and state["beside"]["Plain student"]["accuracy"] > 0.5
    assert "press Fine-tune" in before["text"] and before["kind"] == "none"
    moved = {point["now"][1] for parts in sent for point in parts.get("beside", {}).get("points", [])}
    assert len(moved) > 2
    lines = {series["name"]: len(series["points"]) for series in state["trail"]}
    assert lines["fine-tuning Plain student"] > 1 and lines["fine-tuning Knowledge distillation"] > 1
    view = panel.look("learning curves").wait(120)._stage.parts["picture"]
    assert [line["name"] for line in view["lines"]] == ["Knowledge distillation", "Plain student"]
    assert all(len(line["values"]) == len(view["shown"]) > 2 and line["values"][0] < 30 for line in view["lines"])
    assert view["shown"][0] == "0" and "Plain student" in view["text"]
    exact = panel._stage.beside.results["Plain student"]
    assert exact.complete and accuracy(exact.model, data.load(), "validation").value == exact.accuracy.value
    state = panel.set(knob=0.5).wait(120).state
    assert not state["tuned"] and state["beside"]["Plain student"]["accuracy"] < 0.3
    panel.close()
