"""The weights before and after: each pair is the layer's own numbers, and the error is that of a closed form."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import zoo
from labkit.live.result import Base, Choice
from labkit.live.views import filters
from labkit.live.views.filters import draw
from labkit.live.views.picture import PIXELS, picture
from labkit.lowrank import SVD
from labkit.pruning import FilterPruning, Magnitude
from tests.live.test_mask import decoded

SIDES, FEW = st.integers(1, 60), st.integers(1, 6)


def changed(shape, seed=0):
    """A weight and the same with noise."""
    random = np.random.default_rng(seed)
    was = random.normal(size=shape)
    return was, was + 0.1 * random.normal(size=shape)


def title(name, percent):
    return f"{name}: relative error ‖W − W′‖ / ‖W‖ =\u00a0{percent:.1f}\u00a0%"


def test_kernels_stand_in_pairs_on_one_scale():
    was, now = changed((6, 1, 5, 5))
    shown = draw(was, now, "conv1")
    assert np.array_equal(shown.values[:, 0], was[:, 0]) and np.array_equal(shown.values[:, 1], now[:, 0])
    error = 100 * np.sqrt(((was - now) ** 2).sum() / (was**2).sum())
    assert shown.title == title("conv1", error) and shown.x.startswith("all 6 kernels")
    part = picture(shown)
    assert part["shape"] == [12, 5, 5] and part["top"] == pytest.approx(np.abs([was, now]).max(), rel=1e-3)
    assert decoded(part)[::2] == pytest.approx(was[:, 0], abs=part["top"] / 200)
    assert decoded(part)[1::2] == pytest.approx(now[:, 0], abs=part["top"] / 200)


def test_of_many_kernels_some_are_shown_from_the_first_to_the_last():
    was, now = changed((32, 16, 3, 3))
    shown = draw(was, now, "conv4")
    assert shown.x.startswith("40 of 512 kernels")
    assert np.array_equal(shown.values[[0, -1], 0], was.reshape(-1, 3, 3)[[0, -1]])
    assert np.array_equal(shown.values[[0, -1], 1], now.reshape(-1, 3, 3)[[0, -1]])


def test_units_that_read_a_picture_are_shown_as_pictures():
    was, now = changed((30, 784))
    shown = draw(was, now, "fc1", (1, 28, 28))
    by_hand = was[0].reshape(14, 2, 14, 2).mean((1, 3))
    assert shown.values.shape == (4, 2, 14, 14) and shown.values[0, 0] == pytest.approx(by_hand)
    assert shown.values[-1, 1] == pytest.approx(now[-1].reshape(14, 2, 14, 2).mean((1, 3)))
    assert shown.x.startswith("4 of 30 units, averaged 2 x 2")


def test_a_matrix_keeps_its_corners():
    was, now = changed((100, 300))
    values = draw(was, now, "fc2").values
    assert values.shape == (1, 2, 20, 40)
    corners = np.ix_([0, -1], [0, -1])
    assert np.array_equal(values[0, 0][corners], was[corners]) and np.array_equal(values[0, 1][corners], now[corners])


@settings(deadline=None, max_examples=20)
@given(st.one_of(st.tuples(SIDES, SIDES), st.tuples(FEW, FEW, SIDES, SIDES)))
def test_every_layer_fits_the_wire(shape):
    was, now = changed(shape)
    part = picture(draw(was, now, "a layer"))
    assert np.prod(part["shape"]) <= PIXELS and part["shape"][0] % 2 == 0 and len(json.dumps(part)) < 2700
    assert set(np.unique(draw(was, now, "x").values)) <= set(np.concatenate([was.ravel(), now.ravel()]))


def shown(panel):
    return panel._stage.parts["picture"]


def test_the_panel_says_the_error_of_the_best_approximation(panel):
    """Eckart and Young: the squared error of a truncated SVD is the energy of what was cut off."""
    panel.look("filters").set(method="Truncated SVD").wait().set(knob=16).wait()
    spectrum = np.linalg.svd(zoo.load("LeNet-300-100").fc1.weight().detach().numpy(), compute_uv=False)
    error = np.sqrt((spectrum[16:] ** 2).sum() / (spectrum**2).sum())
    assert (panel.state["picture"], shown(panel)["shape"]) == ("pairs", [8, 14, 14])
    assert shown(panel)["title"] == title("fc1", 100 * error)
    panel.set(where="fc2").set(knob=8).wait()
    assert shown(panel)["title"].startswith("fc2: ") and shown(panel)["shape"] == [2, 20, 40]
    panel.look("what the method did").wait()


def view(original, model, where=None):
    """What the panel would show of a model beside its original."""
    subject = SimpleNamespace(base=Base(original), data=SimpleNamespace(image_shape=(1, 28, 28)))
    choice = Choice("a method", "LeNet-300-100", "FashionMNIST", where)
    return filters.filters(subject, SimpleNamespace(model=model, choice=choice))


def test_the_first_layer_that_changed_is_shown():
    net = zoo.load("LeNet-300-100")
    once = SVD().prepare(net, where="fc2").at(4)
    twice = Magnitude().prepare(once, where="fc3").at(0.9)
    assert view(net, once)["title"].startswith("fc2: ") and view(net, twice)["title"] == view(net, once)["title"]
    assert view(net, twice, "fc3")["title"].startswith("fc3: ")
    assert view(net, net)["text"] == "No weight of this network differs from the original."
    assert view(net, twice, "fc1")["text"] == "No weight of fc1 differs from the original."


def test_a_thinner_network_and_one_of_nan_are_said_in_words():
    net = zoo.load("LeNet-300-100")
    assert "this network is thinner than the original" in view(net, FilterPruning().prepare(net).at(0.5))["text"]
    broken = copy.deepcopy(net)
    with torch.no_grad():
        broken.fc2.weight.values[0, 0] = torch.nan
    assert "fc2 holds NaN" in view(net, broken)["text"]


def test_a_tick_stays_small_and_costs_nothing_where_the_view_is_not_chosen(panel, monkeypatch):
    sent = []
    panel.look("filters").wait()
    panel._stage.send = lambda parts: sent.append(len(json.dumps(parts)))
    for method in (SVD, Magnitude):
        panel.set(method=method.title).wait()
        sent.clear()
        for value in panel.state["values"][:2]:
            panel.set(knob=value).wait()
        assert max(sent) <= 4600, method.title
    panel._stage.send = panel._send
    panel.look("what the method did").wait()
    monkeypatch.setattr(filters, "weight", lambda layer: pytest.fail("computed all the same"))
    assert panel.set(knob=panel.state["values"][2]).wait().state["alert"] == ""
