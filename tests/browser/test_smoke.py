"""The browser tests' own ground: JupyterLab and Voila start, a slider works, and errors are caught."""

from __future__ import annotations

import pytest

KERNELS = "@jupyterlab/apputils-extension:kernels-settings"
SLIDER = """
import ipywidgets
slider = ipywidgets.IntSlider(value=3, max=8, description="bits")
shown = ipywidgets.Label("3 bits")
slider.observe(lambda change: setattr(shown, "value", f"{change['new']} bits"), "value")
ipywidgets.VBox([slider, shown])
"""


def test_a_key_moves_a_slider_and_the_kernel_answers(lab, page):
    notebook = page.open_notebook(lab, lab.write("slider.ipynb", "import labkit", SLIDER))
    notebook.run()
    page.tab.get_by_role("slider").first.press("ArrowRight")
    page.tab.get_by_text("4 bits").wait_for()
    page.screenshot_of("smoke-jupyterlab")
    notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    page.tab.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    notebook.close()


def test_the_labs_settings_hold(lab, page):
    page.open_lab(lab)
    kernels = page.tab.evaluate(f"async () => (await jupyterapp.serviceManager.settings.fetch('{KERNELS}')).schema")
    assert kernels["properties"]["commsOverSubshells"]["default"] == "disabled"
    config = page.tab.evaluate("() => JSON.parse(document.getElementById('jupyter-config-data').textContent)")
    assert "@jupyterlab/apputils-extension:announcements" in config["disabledExtensions"]
    assert config["news"] == {"disabled": True}


def test_voila_shows_the_same(voila, page):
    page.open_voila(voila, voila.write("slider.ipynb", "import labkit", SLIDER))
    page.tab.get_by_role("slider").first.press("ArrowRight")
    page.tab.get_by_text("4 bits").wait_for()
    page.screenshot_of("smoke-voila")


def test_a_cell_that_raises_is_noticed(lab, page):
    notebook = page.open_notebook(lab, lab.write("raises.ipynb", "1 / 0"))
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        notebook.run()


def test_errors_and_requests_outside_are_noticed(page):
    page.tab.goto("about:blank")
    page.tab.evaluate("() => console.error('a broken thing')")
    page.tab.evaluate("() => fetch('https://example.org/tracker').catch(() => null)")
    assert any("a broken thing" in error for error in page.errors)
    assert page.outside == ["https://example.org/tracker"]
    page.errors.clear()
    page.outside.clear()
