"""The mask: shares of what is left, counted by hand, and words where nothing is zero."""

import base64

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import zoo
from labkit.live.views.mask import draw
from labkit.live.views.picture import PIXELS, blocks, picture
from labkit.pruning import Magnitude

SIDES = st.integers(1, 300)


def decoded(part):
    """The shares that the browser draws."""
    whole = np.frombuffer(base64.b64decode(part["bytes"]), np.uint8).reshape(part["shape"]).astype(int)
    return (whole - 128) / 127 * part["top"]


@settings(deadline=None, max_examples=30)
@given(SIDES, SIDES, st.floats(0, 1), st.integers(0, 9))
def test_blocks_average_every_cell_once(height, width, share, seed):
    matrix = (np.random.default_rng(seed).random((height, width)) < share).astype(float)
    found = blocks(matrix)
    assert found.size <= PIXELS and found.min() >= 0 and found.max() <= 1
    step = next(k for k in range(1, 400) if -(-height // k) == len(found) and -(-width // k) == found.shape[1])
    tops, lefts = range(0, height, step), range(0, width, step)
    by_hand = [[matrix[top : top + step, left : left + step].mean() for left in lefts] for top in tops]
    assert found == pytest.approx(np.array(by_hand))


def test_a_layer_that_reads_the_picture_shows_who_looks_at_each_pixel():
    kept = np.zeros((4, 784), bool)
    kept[:3, 30], kept[0, 0] = True, True
    shown = draw(kept, "fc1", (1, 28, 28))
    assert shown.values.shape == (28, 28) and (shown.values[1, 2], shown.values[0, 0]) == (0.75, 0.25)
    assert shown.title == "fc1: 4 of 3,136 weights are left (0.1 %)"
    assert "at most 3 of them, and none at 782 of 784 pixels" in shown.text
    part = picture(shown)
    assert decoded(part)[0] == pytest.approx(shown.values, abs=part["top"] / 250)


def test_small_kernels_are_drawn_and_large_convolutions_summed_up():
    kept = np.random.default_rng(0).random((20, 1, 5, 5)) < 0.3
    assert np.array_equal(draw(kept, "conv1").values.astype(bool), kept[:, 0])
    many = np.random.default_rng(0).random((50, 20, 5, 5)) < 0.05
    shown = draw(many, "conv2")
    assert shown.values == pytest.approx(many.mean((2, 3)))
    assert shown.title == f"conv2: {many.sum():,} of 25,000 weights are left ({100 * many.mean():.1f} %)"


def test_one_weight_that_is_left_is_not_drawn_as_none():
    kept = np.ones((400, 400), bool)
    kept[:200] = False
    kept[0, 0] = True
    assert (decoded(picture(draw(kept, "fc1")))[0] > 0).sum() == (blocks(kept.astype(float)) > 0).sum()


def test_the_panel_shows_the_mask_of_the_largest_layer_with_zeros_and_says_where_there_is_none(panel):
    panel.look("mask").set(knob=3).wait()
    assert "No weight of this network is zero" in panel._stage.parts["picture"]["text"]
    panel.set(method="Magnitude pruning").wait().set(knob=0.9).wait()
    shown = panel._stage.parts["picture"]
    weight = Magnitude().prepare(zoo.load("LeNet-300-100")).at(0.9).fc1.weight()
    left = int((weight != 0).sum())
    assert (panel.state["picture"], shown["shape"]) == ("mask", [1, 28, 28])
    assert shown["title"] == f"fc1: {left:,} of 235,200 weights are left ({100 * left / 235_200:.1f} %)"
    seen = (weight != 0).float().mean(0).view(28, 28)
    assert torch.tensor(decoded(shown)[0]).float().allclose(seen, atol=shown["top"] / 100)
    panel.set(where="fc2").set(knob=0.5).wait()
    assert panel._stage.parts["picture"]["title"] == "fc2: 15,000 of 30,000 weights are left (50.0 %)"
    panel.press("keep").wait().set(where="fc1").wait()
    assert "No weight of fc1 is zero" in panel._stage.parts["picture"]["text"]
    panel.look("what the method did").wait()
