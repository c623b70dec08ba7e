"""Every control over its whole range, every button, and every way to go wrong, without a browser."""

import json
import threading

import pytest
import torch
from torch import nn

from labkit import data, storage, zoo
from labkit.live import explore
from labkit.measure import accuracy
from labkit.methods import Knob, LeafMethod
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.weights import Dense

NET = "LeNet-300-100"


class Moody(LeafMethod):
    """Fails at one value, says nothing at another, and leaves everything alone at the third."""

    title, idea, equation = "moody", "It fails.", "0"
    stores = drawback = "nothing"
    paper = "none"
    knob = Knob("mood", "mood", (0, 1, 2), 0)

    def fit(self, leaf):
        class Fit:
            def at(self, value):
                if value == 1:
                    raise ValueError("mood 1 cannot be computed: choose another")
                return None if value == 0 else Dense(torch.full(leaf.shape, float("nan")))

            def picture(self, value, name):
                raise NotImplementedError

        return Fit()


@pytest.mark.parametrize("method", ["k-means codebook", "Magnitude pruning", "Truncated SVD"])
@pytest.mark.parametrize("where", ["whole network", "fc1", "fc3"])
def test_every_value_of_every_method_everywhere(panel, method, where, monkeypatch):
    monkeypatch.setattr("labkit.live.bench.timing", lambda subject, result, stale: iter(()))
    values = panel.set(method=method).set(where=where).wait().state["values"]
    for value in values:
        state = panel.set(knob=value).wait().state
        assert (state["knob"], state["method"], state["where"], state["alert"]) == (value, method, where, "")
        assert 0 <= state["low"] <= state["accuracy"] <= state["high"] <= 1
        assert state["bytes"] == sum(state["layers"].values())


def test_what_is_shown_is_what_was_measured(panel):
    state = panel.set(knob=3).wait().state
    model = KMeans().prepare(zoo.load(NET)).at(3)
    assert state["accuracy"] == accuracy(model, data.load(), "validation").value
    assert state["bytes"] == storage.size(model).total
    assert not state["estimate"] and state["seconds"] > 0


def test_a_fast_drag_ends_at_the_last_value(panel):
    for value in (8, 7, 6, 5, 4, 3, 2, 1, 2, 3, 4):
        panel.set(knob=value)
    assert panel.wait().state["knob"] == 4
    assert panel.state["estimate"] is False


def test_flipped_pictures_are_right_in_the_original_and_named_by_their_classes(panel):
    state = panel.set(knob=1).wait().state
    assert len(state["flipped"]) == 10
    assert all(true in data.FASHION and taken in data.FASHION and true != taken for true, taken in state["flipped"])


def test_switching_the_data_opens_the_network_trained_on_it(panel):
    state = panel.set(data="MNIST").wait().state
    assert (state["data"], state["network"]) == ("MNIST", NET)
    assert state["accuracy"] > 0.97
    assert panel.set(data="FashionMNIST").wait().state["accuracy"] < 0.95


def test_a_guess_at_once_does_not_end_the_measurement():
    opened = explore("LeNet-300-100", Magnitude()).guess(80_000, 0.85)
    try:
        assert not opened.wait().state["estimate"] and opened.state["guess"] == (80_000, 0.85)
    finally:
        opened.close()


def test_a_guess_is_drawn_and_a_wrong_one_refused(panel):
    assert panel.guess(80_000, 0.85).wait().state["guess"] == (80_000, 0.85)
    assert panel._stage.parts["tradeoff"]["guess"] == [80_000, 85.0]
    with pytest.raises(ValueError, match="up to 1"):
        panel.guess(80_000, 85)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"knob": 9}, {"method": "magic"}, {"network": "GPT"}),
        *({"data": "ImageNet"}, {"where": "fc9"}, {"device": "abacus"}),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(panel, wrong):
    before = panel.state["knob"]
    with pytest.raises(ValueError, match=r"(one of|must be)"):
        panel.set(**wrong)
    assert panel.wait().state["knob"] == before


def test_no_tick_is_larger_than_five_kilobytes(panel):
    sent = []
    panel._stage.send = lambda parts: sent.append(len(json.dumps(parts)))
    for method in ("k-means codebook", "Magnitude pruning", "Truncated SVD"):
        values = panel.set(method=method).wait().state["values"]
        sent.clear()
        for value in values:
            panel.set(knob=value).wait()
        assert max(sent) <= 4600, method  # the protocol adds about 400
    panel._stage.send = panel._send


def test_an_error_in_a_method_becomes_a_sentence_and_the_panel_goes_on():
    panel = explore(NET, [Moody(), KMeans()]).wait()
    panel.set(knob=1).wait()
    assert panel.state["alert"].startswith("mood 1 cannot be computed: choose another.")
    assert panel.state["knob"] == 0
    panel.set(knob=2).wait()  # weights of NaN: wrong answers, but no crash
    assert panel.state["alert"] == "" and panel.state["picture"] == "none"
    panel.set(method="k-means codebook").wait()
    assert (panel.state["alert"], panel.state["method"]) == ("", "k-means codebook")
    panel.close()


def test_a_module_brought_along_is_explored():
    torch.manual_seed(0)
    own = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))
    panel = explore(own).wait()
    assert panel.state["network"] == "your network"
    panel.set(where="3").wait().set(knob=2).wait()
    assert panel.state["alert"] == "" and panel.state["where"] == "3"
    panel.close()


def test_names_are_checked_when_the_panel_is_made():
    with pytest.raises(ValueError, match="LeNet-300-100"):
        explore("AlexNet")
    with pytest.raises(ValueError, match="validation"):
        explore(NET, split="holdout")
    with pytest.raises(TypeError, match="torch.nn.Module"):
        explore(3)


def test_closing_leaves_no_thread_and_no_widget():
    import ipywidgets

    before = set(ipywidgets.Widget._instances if hasattr(ipywidgets.Widget, "_instances") else ())
    panel = explore(NET)
    panel._repr_mimebundle_()
    thread = panel._loop._thread
    panel.close()
    assert thread is None or not thread.is_alive()
    assert not [t for t in threading.enumerate() if t is thread]
    assert panel._front.comm is None
    assert not before ^ set(ipywidgets.Widget._instances if hasattr(ipywidgets.Widget, "_instances") else ())


def test_without_a_front_end_there_is_a_still_picture(panel):
    from xml.etree import ElementTree

    panel.guess(90_000, 0.5).set(knob=2).wait()
    bundle, _ = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    drawn = ElementTree.fromstring(bundle["image/svg+xml"])
    said = " ".join(drawn.itertext())
    for expected in ("k-means codebook", "bits per weight: 2", "your guess", "fc1", bundle["text/plain"]):
        assert expected in said


def test_the_browser_wishes_by_names_and_number(panel):
    want = {"method": "k-means codebook", "network": NET, "data": "FashionMNIST"}
    want |= {"where": "whole network", "device": "cpu"}
    panel._wanted({**want, "knob": 2, "seq": 7})
    panel.wait()
    assert panel.state["knob"] == 3 and panel._stage.parts["place"] == {"index": 2, "seq": 7}
    panel._wanted({**want, "method": "Truncated SVD", "knob": None, "seq": 8})
    assert panel.wait().state["method"] == "Truncated SVD"
    panel._wanted({**want, "method": "magic", "knob": None, "seq": 9})
    assert "magic" in panel.wait().state["alert"]
