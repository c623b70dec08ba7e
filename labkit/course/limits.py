"""Call a learner's function so that it comes to an end, whatever it does."""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
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
    done, fired = threading.Event(), threading.Event()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            fired.set()
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
            if fired.is_set():
                _take_late(thread)
    except _Stop:
        raise TimeoutError(f"it had not come to an end after {seconds:g} seconds") from None


def _take_late(thread: ctypes.c_ulong) -> None:
    """Receive one more _Stop here, so that none is left that would hit whoever runs next.

    Withdrawing it instead would leave the interpreter looking for it at every step, and Python 3.11 then
    hangs as soon as somebody traces: a debugger, or hypothesis.
    """
    _raise_in(thread, ctypes.py_object(_Stop))
    with contextlib.suppress(_Stop):
        while True:
            time.sleep(0.001)
