"""The lab's own notebooks in a real Chromium without network: they run, and their sliders move."""

from __future__ import annotations

import pytest

from labkit import quantization
from labkit.course import build, master

RANGE = ".lk-range"
DRAWN = "() => [...document.querySelectorAll('.lk-panel .lk-plot')].filter(plot => plot.dataset.drawn).length >= 3"
SAID = "words => [...document.querySelectorAll('.lk-live')].some(said => said.textContent.startsWith(words))"


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


@pytest.fixture
def quantized(lab, page):
    """The first panel of notebook 01, with all methods of its section."""
    path = next(path for path in build.masters(build.ROOT) if path.stem.startswith("01_"))
    cell = next(cell for cell in master.read(path) if cell.name == "panel")
    notebook = page.open_notebook(lab, lab.write("quantization.ipynb", cell.source))
    notebook.run()
    page.tab.wait_for_function(DRAWN)
    page.tab.wait_for_function(SAID, arg="4 bits")
    yield page.tab
    notebook.close()


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
