"""Which notebook cell a panel belongs to: running a cell again closes the panels of its last run."""

from __future__ import annotations

from typing import Protocol


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """End it."""


_panels: dict[str, tuple[object, list[Closable]]] = {}


def adopt(panel: Closable) -> None:
    """Remember the panel for the cell that runs now, and close those that the cell made when it last ran."""
    cell, run = _running()
    if cell is None:
        return
    last, panels = _panels.get(cell, (None, []))
    if last != run:
        for old in panels:
            old.close()
        panels = []
    _panels[cell] = (run, [*panels, panel])


def _running() -> tuple[str | None, object]:
    """Return the id of the cell that runs and of this run of it; (None, None) outside a notebook."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None, None
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return None, None
    message = kernel.get_parent("shell") or {}
    cell = message.get("metadata", {}).get("cellId")
    return cell, message.get("header", {}).get("msg_id")
