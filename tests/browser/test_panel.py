"""The live panel in a real Chromium: JupyterLab light and dark, Voila, keys, mouse, buttons, reload."""

from __future__ import annotations

import json
from itertools import combinations, pairwise

import pytest

CELL = "from labkit.live import explore\npanel = explore('LeNet-300-100')\npanel"
RANGE = ".lk-range"
DRAWN = """() => { const plots = [...document.querySelectorAll('.lk-plot')];
    return plots.length >= 3 && plots.every(plot => plot.dataset.drawn); }"""
COLOUR = "selector => getComputedStyle(document.querySelector(selector)).color"
# What is really painted: the moving point's place on the screen.
POINT = """() => { const all = document.querySelectorAll('.lk-plot-tradeoff .scatterlayer .trace:last-child .point');
    const box = all[all.length - 1].getBoundingClientRect(); return [Math.round(box.x), Math.round(box.y)]; }"""


def drawn(page) -> None:
    page.tab.wait_for_function(DRAWN)


def at_rest(page, start: str) -> str:
    """Wait until the spoken sentence starts so, and return it."""
    page.tab.wait_for_function("start => document.querySelector('.lk-live')?.textContent.startsWith(start)", arg=start)
    return page.tab.text_content(".lk-live")


@pytest.fixture
def opened(lab, page):
    """A notebook with one panel, drawn and at rest."""
    notebook = page.open_notebook(lab, lab.write("panel.ipynb", CELL))
    notebook.run()
    drawn(page)
    at_rest(page, "8 bits")
    yield notebook
    notebook.close()


def test_keys_move_the_knob_and_the_plot_follows(opened, page):
    knob = page.tab.get_by_role("slider", name="bits per weight")
    before = page.tab.evaluate(POINT)
    knob.press("ArrowLeft")
    assert "7 bits" in at_rest(page, "7 bits")
    knob.press("Home")
    at_rest(page, "1 bit:")
    page.tab.wait_for_function(
        f"before => {{ const now = ({POINT})(); return now[0] < before[0] && now[1] > before[1]; }}", arg=before
    )
    assert knob.get_attribute("aria-valuetext") == "bits 1"
    knob.press("End")
    at_rest(page, "8 bits")
    knob.press("PageDown")
    assert knob.input_value() == "6"
    page.screenshot_of("panel-jupyterlab")


def test_a_mouse_drag_ends_where_the_finger_is(opened, page):
    box = page.tab.locator(RANGE).bounding_box()
    y = box["y"] + box["height"] / 2
    page.tab.mouse.move(box["x"] + box["width"] - 11, y)
    page.tab.mouse.down()
    for step in range(40, -1, -1):
        page.tab.mouse.move(box["x"] + 11 + (box["width"] - 22) * (2 / 7 + step / 40 * 5 / 7), y)
    page.tab.mouse.up()
    at_rest(page, "3 bits")
    assert page.tab.text_content(".lk-knob-value") == "3"


def test_another_method_brings_its_own_knob_and_picture(opened, page):
    page.tab.get_by_label("method").select_option("Truncated SVD")
    at_rest(page, "rank 216")
    assert page.tab.text_content(".lk-knob-label") == "rank of every layer"
    assert "Singular values" in page.tab.get_attribute(".lk-plot-picture", "aria-label")
    page.tab.get_by_label("where").select_option("fc2")
    at_rest(page, "rank 74 in fc2")


def test_the_card_shows_its_equation_and_links_its_paper(opened, page):
    page.tab.get_by_text("card", exact=True).click()
    equation = page.tab.locator(".lk-about math")
    assert "MathML" in equation.evaluate("math => math.namespaceURI") and equation.bounding_box()["width"] > 50
    assert page.tab.locator(".lk-about a").get_attribute("href").startswith("https://")
    assert "Gong" in page.tab.locator(".lk-about a").text_content()
    page.screenshot_of("panel-card")


def test_keep_undo_and_reset(opened, page):
    page.tab.locator(RANGE).press("ArrowLeft")
    at_rest(page, "7 bits")
    page.tab.get_by_role("button", name="Keep, and add a method").click()
    at_rest(page, "k-means codebook, 7 bits, then 8 bits")
    assert "k-means codebook, 7 bits" in page.tab.text_content(".lk-kept")
    page.tab.get_by_role("button", name="Undo").click()
    at_rest(page, "7 bits")
    page.tab.get_by_role("button", name="Reset").click()
    at_rest(page, "8 bits")


def test_fine_tuning_can_be_stopped(opened, page):
    page.tab.locator(RANGE).press("Home")
    at_rest(page, "1 bit:")
    page.tab.get_by_role("button", name="Fine-tune 10 s").click()
    page.tab.get_by_role("button", name="Stop training").click()
    at_rest(page, "1 bit, fine-tuned")
    page.tab.get_by_role("button", name="Fine-tune 10 s").wait_for()


def test_the_panel_survives_a_reload(opened, page):
    page.tab.locator(RANGE).press("Home")
    at_rest(page, "1 bit:")
    page.tab.evaluate("() => jupyterapp.shell.currentWidget.context.save()")
    page.tab.goto(page.tab.url.replace("?reset", ""))
    drawn(page)
    at_rest(page, "1 bit:")
    assert page.tab.locator(RANGE).input_value() == "0"


def test_nothing_heavy_is_saved_and_the_still_picture_is(opened, page):
    (shown,) = [output for output in opened.outputs() if output["output_type"] == "execute_result"]
    assert "image/svg+xml" in shown["data"] and "application/vnd.jupyter.widget-view+json" in shown["data"]
    assert len(json.dumps(opened.outputs())) < 40_000


def test_colours_follow_the_theme_and_the_layout_holds_at_1000_pixels(opened, page):
    light = page.tab.evaluate(COLOUR, ".lk-title")
    page.tab.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.tab.wait_for_selector(".lk-panel[data-theme=dark]")
    assert page.tab.evaluate(COLOUR, ".lk-title") != light
    page.tab.set_viewport_size({"width": 1000, "height": 1000})
    page.tab.wait_for_timeout(500)
    overflow = "() => { const e = document.querySelector('.lk-panel'); return e.scrollWidth - e.clientWidth; }"
    assert page.tab.evaluate(overflow) <= 0
    page.screenshot_of("panel-dark-1000")
    page.tab.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    page.tab.wait_for_selector(".lk-panel[data-theme=light]")


COMPARE = """from labkit.live import explore
from labkit.pruning import Magnitude
panel = explore('LeNet-300-100', [Magnitude(), Magnitude('layer'), Magnitude('deviation')], beside=True)
panel"""
# The names that are painted beside points, and the heights at which they stand.
NAMES = """() => [...document.querySelectorAll('.lk-plot-tradeoff .annotation-text')].map(
    text => [text.textContent, Math.round(text.getBoundingClientRect().y)])"""
# How many points are painted in the second view's lines.
POINTS = "() => document.querySelectorAll('.lk-plot-picture .scatterlayer .point').length"
TITLED = "start => document.querySelector('.lk-view-picture .lk-view-title').textContent.startsWith(start)"


def test_methods_side_by_side_the_mask_and_the_scan_that_fills_in(lab, page):
    notebook = page.open_notebook(lab, lab.write("compare.ipynb", COMPARE))
    notebook.run()
    drawn(page)
    page.tab.locator(".lk-panel").evaluate("panel => panel.scrollIntoView()")
    knob = page.tab.locator(RANGE)
    box = knob.bounding_box()
    y = box["y"] + box["height"] / 2
    page.tab.mouse.move(box["x"] + 11, y)
    page.tab.mouse.down()
    for step in range(1, 31):
        page.tab.mouse.move(box["x"] + 11 + (box["width"] - 22) * 11 / 20 * step / 30, y)
    page.tab.mouse.up()
    at_rest(page, "sparsity 90 %")
    label = "document.querySelector('.lk-plot-tradeoff').getAttribute('aria-label')"
    page.tab.wait_for_function(f"() => {label}.includes('At the same value: Magnitude pruning, ')")
    page.tab.wait_for_function(f"() => ({NAMES})().length === 3")
    heights = sorted(height for _, height in page.tab.evaluate(NAMES))
    assert all(low + 10 <= high for low, high in pairwise(heights)), "names cover each other"
    page.screenshot_of("panel-beside")

    look = page.tab.get_by_label("second view")
    look.select_option("mask")
    page.tab.wait_for_function(TITLED, arg="fc1: 19,044 of 235,200 weights are left")
    page.tab.wait_for_selector(".lk-plot-picture .heatmaplayer image")
    page.screenshot_of("panel-mask")
    look.select_option("sensitivity")
    page.tab.wait_for_function(f"() => ({POINTS})() > 5")
    page.screenshot_of("panel-sensitivity-filling")
    page.tab.wait_for_function(
        "start => (" + TITLED + ")(start) && (" + POINTS + ")() >= 63", arg="Each layer alone: 63 points"
    )
    assert "at most one point up to: fc1" in page.tab.get_attribute(".lk-plot-picture", "aria-label")
    page.screenshot_of("panel-sensitivity")
    notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    page.tab.wait_for_selector(".lk-panel[data-theme=dark]")
    page.tab.wait_for_timeout(500)
    page.screenshot_of("panel-sensitivity-dark")
    knob.press("End")
    at_rest(page, "sparsity 99.9 %")
    notebook.command("apputils:change-theme", theme="JupyterLab Light")
    notebook.close()


FACTORS = """from labkit.live import explore
from labkit.lowrank import SVD
from labkit.methods import LeafCurve, Picture
import numpy as np

class Curve(LeafCurve):
    def picture(self, rank, layer):
        tops = np.array([fit.top for fit in self.fits.values()])
        names = tuple(path.removesuffix(".weight") for path in self.fits)
        return Picture("bars", "Ranks", "rank", "", np.minimum(rank, tops), "Ranks.", marks=tops, labels=names)

class Bars(SVD):
    title, curve = "Bars", Curve

panel = explore("ResNet-20", [SVD(), Bars()], knob=8)
panel"""
BARS = """() => [...document.querySelectorAll('.lk-plot-picture .ytick text')].map(
    text => [text.textContent, Math.round(text.getBoundingClientRect().y)])"""


def test_a_factorisation_shows_its_spectrum_its_weights_and_a_bar_for_each_layer(lab, page):
    notebook = page.open_notebook(lab, lab.write("factors.ipynb", FACTORS))
    notebook.run()
    drawn(page)
    page.tab.locator(".lk-panel").evaluate("panel => panel.scrollIntoView()")
    page.tab.wait_for_selector(".lk-plot-picture .overplot .scatterlayer .point")  # the energy has an axis of its own
    page.screenshot_of("panel-spectrum")
    page.tab.get_by_label("second view").select_option("filters")
    page.tab.wait_for_selector(".lk-plot-picture .heatmaplayer image")
    assert "relative error" in page.tab.text_content(".lk-view-picture .lk-view-title")
    ticks = [name for name, _ in page.tab.evaluate(BARS)]
    assert ticks[:2] == ["original", "now"] and len(ticks) % 2 == 0
    page.screenshot_of("panel-filters")
    page.tab.get_by_label("second view").select_option("what the method did")
    page.tab.get_by_label("method").select_option("Bars")
    page.tab.wait_for_selector(".lk-plot-picture[aria-label='Ranks.'] .barlayer .point")
    page.tab.wait_for_function(f"() => ({BARS})().length === 22")
    heights = [height for _, height in page.tab.evaluate(BARS)]
    assert all(low + 8 <= high for low, high in pairwise(heights)), "names cover each other"
    page.screenshot_of("panel-bars")
    notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    page.tab.wait_for_selector(".lk-panel[data-theme=dark]")
    page.tab.wait_for_timeout(500)
    page.screenshot_of("panel-bars-dark")
    notebook.command("apputils:change-theme", theme="JupyterLab Light")
    notebook.close()


PUBLISHED = "from labkit.live import explore\nexplore('LeNet-5', data='MNIST').guess(50_000, 0.97)"
BOXES = """() => [...document.querySelectorAll('.lk-plot-tradeoff .textpoint')].map(text => {
    const box = text.getBoundingClientRect(); return [text.textContent, box.left, box.top, box.right, box.bottom]; })"""


def test_names_of_what_was_published_cover_no_other(lab, page):
    notebook = page.open_notebook(lab, lab.write("published.ipynb", PUBLISHED))
    notebook.run()
    drawn(page)
    boxes = page.tab.evaluate(BOXES)
    assert {"original", "your guess", "Han 2016 [S]"} <= {name for name, *_ in boxes}
    for (_, *one), (_, *other) in combinations(boxes, 2):
        apart = one[0] >= other[2] or other[0] >= one[2] or one[1] + 2 >= other[3] or other[1] + 2 >= one[3]
        assert apart, "names cover each other"
    page.screenshot_of("panel-published")
    notebook.close()


COUNT = """
import threading, ipywidgets
from labkit.live.front import Front
widgets = ipywidgets.widgets.widget._instances.values()
print(sum(isinstance(each, Front) for each in widgets), [t.name for t in threading.enumerate()].count("labkit-panel"))
"""


def test_running_the_cell_again_closes_the_first_panel(lab, page):
    notebook = page.open_notebook(lab, lab.write("again.ipynb", CELL, COUNT))
    for _ in range(2):
        notebook.run()
        at_rest(page, "8 bits")
        (printed,) = [output["text"] for output in notebook.outputs() if output["output_type"] == "stream"]
        widgets, threads = map(int, "".join(printed).split())
        assert widgets == 1 and threads <= 1
    notebook.close()


def test_voila_shows_the_panel(voila, page):
    page.open_voila(voila, voila.write("panel.ipynb", CELL))
    drawn(page)
    page.tab.locator(RANGE).press("ArrowLeft")
    at_rest(page, "7 bits")
    page.screenshot_of("panel-voila")
