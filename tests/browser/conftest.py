"""What the browser tests share: a JupyterLab, a Voila, and pages of a Chromium that is cut off from the network.

A test asks for `page` and opens a notebook in it:

    def test_something(lab, page):
        name = lab.write("try.ipynb", "import labkit; labkit.explore('LeNet-5')")
        notebook = page.open_notebook(lab, name)      # waits for the kernel
        notebook.run()                                # all cells; fails where one raised
        page.screenshot_of("try")                     # build/screenshots/try.png

After the test, `page` fails it for any error in the console and any request to another machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import chromium
from tests.browser import servers
from tests.browser.pages import LabPage

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = (
    # Names other than this machine's do not even resolve.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    *("--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The path of a Chromium."""
    pytest.importorskip("playwright", reason="Playwright is not installed: make test installs it")
    path = chromium.find()
    if path is None:
        pytest.skip("no Chromium on this machine: install one, or name it in LABKIT_CHROMIUM")
    return path


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator:
    """A headless Chromium, for one file of tests: Playwright's event loop must not outlive it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium_path, args=OPTIONS, chromium_sandbox=False)
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scratch copy of the notebooks, in which tests may write."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns("source", ".*", "*_files"))
    return folder


@pytest.fixture(scope="package")
def lab(chromium_path: str, workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A running JupyterLab."""
    with servers.jupyterlab(workspace, tmp_path_factory.mktemp("jupyterlab")) as server:
        yield server


@pytest.fixture(scope="package")
def voila(chromium_path: str, workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A running Voila."""
    with servers.voila(workspace, tmp_path_factory.mktemp("voila")) as server:
        yield server


@pytest.fixture
def page(browser) -> Iterator[LabPage]:
    """A fresh page; the test fails where the console shows an error or the page asks another machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    opened = LabPage(context)
    yield opened
    context.close()
    assert opened.errors == [], "errors in the browser's console"
    assert opened.outside == [], "requests to other machines"
