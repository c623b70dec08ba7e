"""A page of the browser, cut off from the network, that knows how to open and run notebooks."""

from __future__ import annotations

import re
from pathlib import Path

from tests.browser.servers import Server

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
ELSEWHERE = re.compile(r"^(https?|wss?)://(?!127\.0\.0\.1[:/]|localhost[:/])")
# Not ours, and harmless: Voila's page asks for a font of icons, which the lab does not use. Keep this tiny.
HARMLESS = re.compile(r"https://cdn\.jsdelivr\.net/npm/@fortawesome/fontawesome-free")
# JupyterLab's own: a page that is reloaded while its debugger still asks the kernel breaks that question off.
BROKEN_OFF = re.compile(r"^Could not restore the debugger state: Canceled future for debug_request")

READY = """async () => {
    const pause = () => new Promise(resolve => setTimeout(resolve, 50));
    while (!window.jupyterapp?.shell?.currentWidget?.sessionContext) await pause();
    const widget = window.jupyterapp.shell.currentWidget;
    await widget.context.ready;
    await widget.sessionContext.ready;
    await widget.sessionContext.session.kernel.info;
}"""
STANDS = """async () => {
    while (!window.jupyterapp?.restored) await new Promise(resolve => setTimeout(resolve, 50));
    await window.jupyterapp.restored;
}"""
RUN = "async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
CELLS = "() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.toJSON())"
CLOSE = """async () => {
    const widget = window.jupyterapp.shell.currentWidget;
    await widget.sessionContext.shutdown();
    await widget.context.save();
    widget.close();
}"""


class LabPage:
    """A browser page and what went wrong in it; `tab` is Playwright's own page."""

    def __init__(self, context):
        self.errors: list[str] = []
        self.outside: list[str] = []
        context.route(ELSEWHERE, self._refuse)
        context.set_default_timeout(60_000)
        self.tab = context.new_page()
        self.tab.on("console", self._listen)
        self.tab.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))

    def _refuse(self, route) -> None:
        if not HARMLESS.match(route.request.url):
            self.outside.append(route.request.url)
        route.abort()

    def _listen(self, message) -> None:
        source = message.location.get("url", "")
        if message.type == "error" and not HARMLESS.match(source) and not BROKEN_OFF.match(message.text):
            self.errors.append(f"{message.text} ({source})")

    def open_lab(self, lab: Server) -> None:
        """Open JupyterLab without a notebook and return when it stands."""
        self.tab.goto(f"{lab.address}/lab?reset&token={lab.token}")
        self.tab.evaluate(STANDS)

    def open_notebook(self, lab: Server, name: str) -> OpenNotebook:
        """Open a notebook in JupyterLab and return when its kernel is ready."""
        self.tab.goto(f"{lab.address}/lab/tree/{name}?reset&token={lab.token}")
        self.tab.evaluate(READY)
        return OpenNotebook(self.tab)

    def open_voila(self, voila: Server, name: str) -> None:
        """Open a notebook in Voila and return when it has run: all its cells are on the page."""
        self.tab.goto(f"{voila.address}/voila/render/{name}")
        self.tab.wait_for_selector("body:not([data-voila-loading]) .jp-Cell", state="attached")

    def screenshot_of(self, name: str) -> Path:
        """Keep a picture of the page under build/screenshots, and return its path."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.tab.screenshot(path=path)
        return path


class OpenNotebook:
    """A notebook that is open in JupyterLab, with its kernel running."""

    def __init__(self, tab):
        self.tab = tab

    def run(self) -> None:
        """Run all cells; raise AssertionError with its message where one failed."""
        self.tab.evaluate(RUN)
        for output in self.outputs():
            assert output["output_type"] != "error", f"{output['ename']}: {output['evalue']}"

    def command(self, name: str, **arguments) -> None:
        """Carry out one of JupyterLab's commands, for example apputils:change-theme with theme="JupyterLab Dark"."""
        self.tab.evaluate("([name, arguments]) => jupyterapp.commands.execute(name, arguments)", [name, arguments])

    def outputs(self) -> list[dict]:
        """Return the outputs of all cells, in nbformat's form."""
        return [output for cell in self.tab.evaluate(CELLS) for output in cell.get("outputs", [])]

    def close(self) -> None:
        """End the kernel and close the notebook."""
        self.tab.evaluate(CLOSE)
