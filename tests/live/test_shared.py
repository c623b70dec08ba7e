"""Shared and compact filters in the panel: every method and value of the section can be chosen, and says what it is."""

import pytest

from labkit import explore
from labkit.filters import METHODS, P4, Fire


@pytest.fixture(scope="module")
def section():
    panel = explore("LeNet-5", [method() for method in METHODS]).wait()
    yield panel
    panel.close()


@pytest.mark.parametrize("method", METHODS)
def test_each_method_of_the_section_can_be_dragged_from_end_to_end(section, method):
    for value in (method.knob.values[0], method.knob.values[-1]):
        state = section.set(method=method.title, knob=value).wait().state
        assert state["method"] == method.title and not section._stage.parts.get("error")
        assert "5,000 validation pictures" in state["say"]
        assert state["picture"] == ("bars" if method.knob.name in ("squeeze", "width") else "filters")


def test_bytes_of_a_row_of_layers_stand_at_the_layer_whose_place_it_took(section):
    for method in (P4, Fire):
        state = section.set(method=method.title, knob=method.knob.start).wait().state
        rows = {name: now for name, now, *_ in section._stage.parts["sizes"]["rows"]}
        assert {"conv1", "conv2", "fc1", "fc2"} <= set(rows) and not any("." in name for name in rows)
        assert sum(rows.values()) == state["bytes"]
        assert rows["conv1" if method is P4 else "conv2"] > 0


def test_what_was_trained_under_a_rule_keeps_every_answer():
    panel = explore("P4CNN", P4(), data="MNIST-rotated", knob=1).wait()
    before, after = panel.state, panel.set(knob=4).wait().state
    assert after["accuracy"] == before["accuracy"] and after["bytes"] < before["bytes"] / 3.9
    panel.close()
