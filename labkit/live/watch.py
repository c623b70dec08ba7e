"""Results that appear one after another, and a drawing of them that fills in while one watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from IPython import display

Result = TypeVar("Result")
PAUSE_S = 0.2  # between two drawings, so that a page keeps up


@dataclass(frozen=True)
class Drawing:
    """A still picture (SVG) that shows itself in Jupyter, and its words anywhere else."""

    svg: str
    words: str

    def __repr__(self) -> str:
        return self.words

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x:auto" tabindex="0">{self.svg}</div>'


def watch(results: Iterable[Result], draw: Callable[[list[Result]], object]) -> list[Result]:
    """Draw what there is so far, anew while more results come, and return them all.

    Outside of Jupyter, each drawing is printed; there are few of them, since they are apart in time.

    >>> found = watch(iter([1, 2]), draw=sum)
    1
    3
    """
    found: list[Result] = []
    handle, drawn = None, 0.0
    for result in results:
        found.append(result)
        if handle is None:
            handle, drawn = display.display(draw(found), display_id=True), time.monotonic()
        elif time.monotonic() - drawn > PAUSE_S:
            handle.update(draw(found))
            drawn = time.monotonic()
    if handle is not None:
        handle.update(draw(found))
    return found
