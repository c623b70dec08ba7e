"""A panel's face in the browser: one widget that carries its scripts and passes messages on."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import anywidget
import plotly
import traitlets

PANEL = ("theme", "plots", "labels", "pictures", "tiles", "layers", "views", "controls", "card", "page", "panel")
FRONTIER = ("theme", "plots", "labels", "views", "page", "frontier")


@functools.cache
def script(names: tuple[str, ...] = PANEL) -> str:
    """Join scripts into the one module that a widget takes."""
    folder = resources.files("labkit.live") / "js"
    return "\n".join((folder / f"{name}.js").read_text() for name in names)


@functools.cache
def style() -> str:
    """Return the style sheet."""
    return (resources.files("labkit.live") / "style.css").read_text()


@functools.cache
def plotly_script() -> bytes:
    """Return plotly.js as the plotly package brings it, compressed."""
    return gzip.compress((Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes(), 6)


class Front(anywidget.AnyWidget):
    """Sends what is to be drawn as messages, never as traits: traits are saved into the notebook.

    The one trait is what the browser wishes: ipywidgets keeps one change of it in flight and merges
    the rest, so that a fast drag leaves no backlog. A page that has plotly.js never gets it again.
    """

    want = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        wished: Callable[[dict], None],
        asked: dict[str, Callable[[object], object]],
        parts: Callable[[], dict],
        scripts: tuple[str, ...] = PANEL,
    ):
        self._esm, self._css = script(scripts), style()
        super().__init__()
        self._parts = parts
        self._asked = asked
        self.observe(lambda change: wished(change["new"]), "want")
        self.on_msg(self._receive)

    def update(self, parts: dict) -> None:
        """Send the parts that changed."""
        self.send({"parts": parts})

    def _receive(self, _, content: dict, buffers: list) -> None:
        if content.get("ask") == "plotly":
            self.send({"plotly": True}, [plotly_script()])
        elif content.get("ask") == "parts":
            self.update(self._parts())
        for name in self._asked.keys() & content.keys():
            self._asked[name](content[name])
