"""The plot with two logarithmic axes puts every point where it belongs; what is watched is drawn while it comes."""

import re
from xml.etree import ElementTree

import pytest

from labkit.live import watch as watching
from labkit.live.loglog import COLOURS, Box, Line, legend, plot
from labkit.live.shapes import page
from labkit.live.watch import Drawing, watch

BOX = Box(20, 60, 450, 300, "Title", "n", "seconds")


def drawn(lines, ticks=(64, 256)):
    return ElementTree.fromstring(page(plot(BOX, lines, ticks), "words", 400))


def corners(root):
    return [
        [tuple(map(float, point.split(","))) for point in one.get("points").split()]
        for one in root.iter("{http://www.w3.org/2000/svg}polyline")
    ]


def test_equal_ratios_are_equal_distances_on_both_axes():
    ((left, middle, right),) = corners(drawn([Line("one", [(64, 1e-5), (128, 1e-4), (256, 1e-3)])]))
    assert middle[0] - left[0] == pytest.approx(right[0] - middle[0], abs=0.2)
    assert left[1] - middle[1] == pytest.approx(middle[1] - right[1], abs=0.2) and left[1] > right[1]


def test_every_line_has_its_own_colour_shape_and_name_and_marks_are_ringed():
    lines = [Line(f"line {index}", [(64, 10.0**index)], (64,) if index == 1 else ()) for index in range(8)]
    text = "".join(plot(BOX, lines, (64, 256)))
    assert all(colour in text for colour in COLOURS) and text.count('r="9"') == 1
    names = re.findall(r">([^<]+)</text>", "".join(legend(0, 0, [one.name for one in lines])))
    assert names == [one.name for one in lines]
    shapes = {
        tuple(
            re.findall(r'<polygon points="([^"]+)"', "".join(plot(BOX, [Line("", ())] * index + [lines[0]], (64, 256))))
        )
        for index in range(1, 8)
    }
    assert len(shapes) == 7


def test_a_single_point_and_none_are_drawn():
    assert len(corners(drawn([Line("one", [(64, 5.0)])], (64,)))) == 1
    assert "Title" in "".join(plot(BOX, [Line("one", [])], (64,)))


class Handle:
    def __init__(self):
        self.shown = []

    def update(self, drawing):
        self.shown.append(drawing)


def test_what_is_watched_is_drawn_first_in_between_and_last(monkeypatch):
    handle, clock = Handle(), iter(range(100))
    monkeypatch.setattr(watching.display, "display", lambda drawing, display_id: handle.update(drawing) or handle)
    monkeypatch.setattr(watching.time, "monotonic", lambda: 0.15 * next(clock))
    assert watch(iter(range(5)), lambda found: tuple(found)) == [0, 1, 2, 3, 4]
    assert handle.shown[0] == (0,) and handle.shown[-1] == (0, 1, 2, 3, 4) and 3 <= len(handle.shown) <= 5
    assert watch([], str) == []


def test_a_drawing_shows_its_words_where_there_is_no_page():
    one = Drawing("<svg></svg>", "what it says")
    assert repr(one) == "what it says" and "<svg></svg>" in one._repr_html_()
