"""Silence for libraries that talk while they work."""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import warnings
from collections.abc import Iterator

_ALONE = threading.RLock()  # two threads would give each other's settings back in the wrong order


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let nothing be printed, logged or warned about inside the block; exceptions pass.

    >>> with quiet():
    ...     print("exporting")
    """
    root, nothing, level = logging.getLogger(), logging.NullHandler(), logging.root.manager.disable
    with _ALONE, warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        root.addHandler(nothing)  # without a handler, logging.warning() would install one for good
        logging.disable(logging.CRITICAL)
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                yield
        finally:
            logging.disable(level)
            root.removeHandler(nothing)
