"""The pictures of a factorisation: what is sent is what was measured, and never more than a view can draw."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from labkit.live import second_still
from labkit.live.shapes import DATA
from labkit.live.views.picture import BARS, LETTERS, picture
from labkit.lowrank.spectrum import spectrum
from labkit.methods import Picture


def bars(count, name="conv{}", marks=True):
    ranks = np.arange(1, count + 1)
    names = tuple(name.format(index) for index in range(count))
    top = 2 * ranks if marks else np.empty(0)
    return Picture("bars", "Ranks", "rank", "", ranks, "Ranks.", marks=top, labels=names)


def test_a_bar_for_each_layer_with_its_name_and_the_full_rank_behind():
    part = picture(bars(3))
    assert (part["names"], part["values"], part["marks"]) == (["conv0", "conv1", "conv2"], [1, 2, 3], [2, 4, 6])
    assert picture(bars(3, marks=False))["marks"] == []


def test_of_many_layers_the_first_are_shown_and_long_names_keep_their_end():
    part = picture(bars(500, "a.very.long.path.of.blocks.{}.conv1"))
    assert len(part["names"]) == len(part["values"]) == len(part["marks"]) == BARS
    assert part["x"] == f"rank (the first {BARS} of 500)"
    assert all(len(name) == LETTERS and name.endswith(".conv1") for name in part["names"])
    assert len(json.dumps(part)) < 2600


@pytest.mark.parametrize(("count", "rank"), [(10, 4), (300, 45), (2000, 1999)])
def test_a_spectrum_carries_the_energy_kept_up_to_each_index(count, rank):
    s = torch.rand(count, generator=torch.Generator().manual_seed(0)).sort(descending=True).values
    part = picture(spectrum(s, rank, "fc1"))
    by_hand = 100 * np.cumsum(s.double().numpy() ** 2) / np.sum(s.double().numpy() ** 2)
    assert part["share"] == pytest.approx(by_hand[:: part["step"]], rel=1e-3) and len(part["share"]) <= 128
    assert part["kept"] == pytest.approx(by_hand[rank - 1], rel=1e-3)
    assert f"keeps {by_hand[rank - 1]:.1f} % of the energy" in part["title"]
    assert len(json.dumps(part)) < 2600


def test_a_layer_that_is_left_alone_keeps_all():
    part = picture(spectrum(torch.tensor([2.0, 1.0]), 9, "fc1", pays=False))
    assert (part["marks"], part["kept"]) == ([2], 100) and "left alone" in part["title"]


def test_a_score_that_is_no_energy_has_none():
    scores = Picture("spectrum", "Units", "unit", "score", np.array([3.0, 2.0, 1.0]), "Units.", marks=np.array([2]))
    assert "share" not in picture(scores) and "kept" not in picture(scores)


def still(view):
    """What a still picture of the view writes, and its shapes."""
    drawn = ElementTree.fromstring(f"<svg>{''.join(second_still.draw(view, 500))}</svg>")
    return list(drawn.itertext()), drawn


def test_the_still_picture_draws_each_bar_in_proportion():
    words, drawn = still(picture(bars(4)))
    assert {"conv0", "conv3", "1 of 2", "4 of 8"} <= set(words)
    filled, outlines = ([bar for bar in drawn.iter("rect") if bar.get("fill") == paint] for paint in (DATA, "none"))
    widths = [float(bar.get("width")) for bar in filled]
    assert widths == pytest.approx([index * widths[0] for index in (1, 2, 3, 4)], rel=0.01)
    assert [float(bar.get("width")) for bar in outlines] == pytest.approx([2 * width for width in widths], rel=0.01)


def test_the_still_picture_fills_what_is_kept_of_a_spectrum():
    view = picture(spectrum(torch.tensor([4.0, 3.0, 2.0, 1.0]), 3, "fc1"))
    words, drawn = still(view)
    kept = next(drawn.iter("polygon")).get("points").split()
    hollow, energy = ([p.split(",") for p in shape.get("points").split()] for shape in drawn.iter("polyline"))
    assert len(kept) == 3 + 2 and len(hollow) == 2 and len(energy) == 4
    heights = [float(y) for _, y in energy]
    assert heights == sorted(heights, reverse=True) and view["title"] in words


def test_other_pictures_have_no_still_one():
    assert second_still.draw({"kind": "none"}, 500) == [] and second_still.draw(picture(bars(0)), 500) == []
