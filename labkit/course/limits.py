"""Call a learner's function so that it comes to an end, whatever it does."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc


class _Stop(BaseException):
    """Raised inside the learner's code; no `except Exception` there can swallow it."""


def within(seconds: float, function: Callable[[], T]) -> T:
    """Return what the function returns, or raise TimeoutError if it is not done in time.

    It runs in the caller's thread and is stopped between two lines of Python, on every system;
    one single long call into compiled code is stopped when it returns.

    >>> within(1, lambda: 6 * 7)
    42
    """
    thread = ctypes.c_ulong(threading.get_ident())
    done = threading.Event()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            _raise_in(thread, ctypes.py_object(_Stop))
            wait = 0.1  # again, in case a bare `except:` swallowed it

    watcher = threading.Thread(target=watch, daemon=True)
    try:
        watcher.start()
        try:
            return function()
        finally:
            done.set()
            watcher.join()
            _raise_in(thread, None)  # one that was raised too late must not hit whoever runs next
    except _Stop:
        raise TimeoutError(f"it had not come to an end after {seconds:g} seconds") from None
