"""The lab's own notebooks in a real Chromium without network: they run, and their sliders move."""

from __future__ import annotations

import contextlib

import pytest

from labkit import quantization
from labkit.course import build, master

RANGE = ".lk-range"
DRAWN = "() => [...document.querySelectorAll('.lk-panel .lk-plot')].filter(plot => plot.dataset.drawn).length >= 3"
SAID = "words => [...document.querySelectorAll('.lk-live')].some(said => said.textContent.startsWith(words))"

TURNED = "words => [...document.querySelectorAll('svg[role=img] title')].some(t => t.textContent.startsWith(words))"


@pytest.mark.slow
def test_the_first_notebook_runs_in_jupyterlab_and_its_slider_moves(lab, page):
    notebook = page.open_notebook(lab, "00_start_here.ipynb")
    notebook.run()
    page.tab.evaluate("() => jupyterapp.shell.currentWidget.content.scrollToItem(1, 'start')")
    page.tab.wait_for_function(DRAWN)
    page.tab.locator(RANGE).first.press("ArrowLeft")
    page.tab.wait_for_function(SAID, arg="7 bits")
    page.screenshot_of("notebook-00")
    notebook.close()


@pytest.mark.slow
def test_voila_shows_the_first_notebook_without_code(voila, page):
    page.open_voila(voila, "00_start_here.ipynb")
    page.tab.wait_for_function(DRAWN)
    page.tab.locator(RANGE).first.press("ArrowLeft")
    page.tab.wait_for_function(SAID, arg="7 bits")
    page.screenshot_of("notebook-00-voila")


def source_of(number, cells):
    """Put the code of some cells of a notebook into one."""
    path = next(path for path in build.masters(build.ROOT) if path.stem.startswith(number))
    return "\n".join(cell.source for cell in master.read(path) if cell.name in cells)


@contextlib.contextmanager
def panel_of(lab, page, number, cells, said):
    """Open some cells of a notebook, and wait until the panel that the last of them shows has said something."""
    notebook = page.open_notebook(lab, lab.write(f"{number}-{cells[-1]}.ipynb", source_of(number, cells)))
    notebook.run()
    page.tab.wait_for_function(DRAWN)
    page.tab.wait_for_function(SAID, arg=said)
    yield page.tab
    notebook.close()


@pytest.fixture
def quantized(lab, page):
    """The first panel of notebook 01, with all methods of its section."""
    with panel_of(lab, page, "01", ["panel"], "4 bits") as tab:
        yield tab


def test_every_method_of_the_section_can_be_chosen_and_shows_its_picture(quantized, page):
    for method in quantization.METHODS:
        quantized.get_by_label("method").select_option(method.title)
        quantized.wait_for_function(
            "title => document.querySelector('.lk-title').textContent === title && "
            "document.querySelector('.lk-live').textContent.includes('5,000 validation pictures')",
            arg=method.title,
        )
        assert "Histogram" in quantized.get_attribute(".lk-plot-picture", "aria-label")
        assert quantized.is_hidden(".lk-alert")
    page.screenshot_of("notebook-01-ternary")


def test_code_lengths_are_shown_against_the_entropy(quantized, page):
    quantized.get_by_label("second view").select_option("code lengths")
    quantized.wait_for_selector(".lk-plot-picture[aria-label^='Length of each codeword']")
    assert "entropy" in quantized.text_content(".lk-view-picture .lk-view-title")
    assert "Shipped and published" in quantized.get_attribute(".lk-plot-tradeoff", "aria-label")
    page.screenshot_of("notebook-01-code-lengths")


def test_four_criteria_move_together_and_the_mask_shows_where_the_network_looks(lab, page):
    with panel_of(lab, page, "02", ["panel"], "sparsity 80 %") as tab:
        tab.locator(RANGE).first.press("ArrowRight")
        tab.wait_for_function(SAID, arg="sparsity 85 %")
        for method in ("Optimal Brain Damage", "Optimal Brain Surgeon", "Random pruning"):
            tab.wait_for_selector(f".lk-plot-tradeoff[aria-label*='{method}']")
        tab.get_by_label("second view").select_option("mask")
        tab.wait_for_selector(".lk-plot-picture[aria-label*='fc1']")
        assert tab.is_hidden(".lk-alert")
        page.screenshot_of("notebook-02-criteria")


def test_filters_are_crossed_out_and_the_network_gets_thinner(lab, page):
    with panel_of(lab, page, "02", ["panel", "filter-panel"], "filters 10 %") as tab:
        tab.locator(RANGE).last.press("ArrowRight")
        tab.wait_for_function(SAID, arg="filters 15 %")
        tab.wait_for_selector(".lk-plot-picture[aria-label*='crossed out']")
        assert tab.is_hidden(".lk-alert")
        page.screenshot_of("notebook-02-filters")


def test_layers_share_one_budget_by_four_rules(lab, page):
    with panel_of(lab, page, "04", ["panel", "budget-panel"], "budget 20 %") as tab:
        for rule in ("equal rank", "equal energy", "equal ratio"):
            tab.wait_for_selector(f".lk-plot-tradeoff[aria-label*='{rule}']")
        tab.wait_for_selector(".lk-plot-picture[aria-label*='fc1']")
        tab.get_by_label("second view").last.select_option("filters")
        tab.wait_for_selector(".lk-plot-picture[aria-label*='relative error']")
        assert tab.locator(".lk-alert").last.is_hidden()
        page.screenshot_of("notebook-04-budgets")


def test_structures_show_their_matrix_and_its_displacement(lab, page):
    with panel_of(lab, page, "03", ["panel", "one-layer"], "displacement rank 8") as tab:
        tab.wait_for_selector(".lk-plot-picture[aria-label*='the displacement had rank 299, now 8']")
        tab.locator(RANGE).last.press("ArrowLeft")
        tab.wait_for_function(SAID, arg="displacement rank 6")
        tab.wait_for_selector(".lk-plot-picture[aria-label*='now 6']")
        tab.get_by_label("method").last.select_option("Block-circulant")
        tab.get_by_label("second view").last.select_option("what the method did")
        tab.wait_for_selector(".lk-plot-picture[aria-label*='numbers for 235,200']")
        assert tab.locator(".lk-alert").last.is_hidden()
        page.screenshot_of("notebook-03-structures")


def test_time_against_n_fills_in_while_one_watches(lab, page):
    source = "from labkit.course.growth import against_n\nresults = against_n(budget_s=5, sizes=(64, 128, 256))"
    notebook = page.open_notebook(lab, lab.write("against_n.ipynb", source))
    notebook.run()
    page.tab.wait_for_selector("svg[role=img] >> text=Time with 256 inputs")
    shown = page.tab.locator("svg[role=img]").last
    assert shown.locator("polyline").count() == 4 * 8
    page.screenshot_of("notebook-03-against-n")
    notebook.close()


def test_a_network_that_was_trained_under_a_rule_is_shared_and_its_orbits_are_shown(lab, page):
    with panel_of(lab, page, "05", ["panel"], "copies 1") as tab:
        tab.locator(RANGE).first.press("ArrowRight")
        tab.wait_for_function(SAID, arg="copies 4: 98.0 %")
        tab.wait_for_selector(".lk-plot-picture[aria-label*='each used in 4 copies']")
        assert tab.is_hidden(".lk-alert")
        page.screenshot_of("notebook-05-shared")


def test_a_picture_is_turned_by_hand_and_the_maps_turn_with_it(lab, page):
    notebook = page.open_notebook(lab, lab.write("05-turn.ipynb", source_of("05", ["panel", "turn-by-hand"])))
    notebook.run()
    slider = page.tab.locator(".noUi-handle")
    slider.focus()
    for _ in range(6):  # of 15 degrees
        slider.press("ArrowRight")
    page.tab.wait_for_function(TURNED, arg="A picture turned by 90 degrees")
    said = page.tab.locator("svg[role=img] title").last.text_content()
    plain, p4 = (float(words.split(";")[0]) for words in said.split("equivariance error ")[1:])
    assert plain > 0.3 and p4 < 1e-5
    page.screenshot_of("notebook-05-turned")
    notebook.close()


def test_two_students_learn_beside_each_other(lab, page):
    with panel_of(lab, page, "06", ["panel"], "width 25 %") as tab:
        tab.get_by_role("button", name="Fine-tune").first.click()
        tab.wait_for_function("() => document.querySelector('.lk-live').textContent.includes('fine-tuned')")
        drawn = tab.locator(".lk-plot-tradeoff").first.get_attribute("aria-label")
        assert "At the same value: Plain student" in drawn and tab.is_hidden(".lk-alert")
        tab.locator(".lk-plot-tradeoff").first.scroll_into_view_if_needed()
        page.screenshot_of("notebook-06-taught")


def test_an_answer_is_softened_by_hand(lab, page):
    notebook = page.open_notebook(lab, lab.write("06-soften.ipynb", source_of("06", ["soften"])))
    notebook.run()
    slider = page.tab.locator(".noUi-handle")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    page.tab.wait_for_function(TURNED, arg="A T-shirt, softened at temperature 6:")
    page.screenshot_of("notebook-06-softened")
    notebook.close()


MARKS = "() => document.querySelectorAll('.lk-plot-map .scatterlayer .point').length > 100"
FEW = MARKS.replace("> 100", "< 30")
OPENED = "words => [...document.querySelectorAll('.lk-map-about')].some(said => said.textContent.includes(words))"


@pytest.mark.slow
def test_a_point_of_the_frontier_opens_as_a_live_model_whose_slider_moves(lab, page):
    notebook = page.open_notebook(lab, lab.write("08-map.ipynb", source_of("08", ["panel"])))
    notebook.run()
    page.tab.wait_for_function(MARKS)
    page.tab.select_option(".lk-map-cost", "macs")
    page.tab.select_option(".lk-map-method", "k-means codebook")
    page.tab.wait_for_function(FEW)  # the marks of the other methods are gone, or else one of them is clicked
    page.tab.locator(".lk-plot-map .scatterlayer .point").nth(2).click(force=True)
    page.tab.wait_for_function(OPENED, arg="labkit again")
    page.tab.wait_for_function("() => document.querySelectorAll('.lk-panel .lk-range').length === 1")
    page.tab.wait_for_function(DRAWN)
    page.tab.locator(RANGE).first.press("Home")
    page.tab.wait_for_function(SAID, arg="1 bit")
    page.screenshot_of("notebook-08-map")
    notebook.close()
