"""The worker behind a panel: the newest wish wins, and the first coarse result is always shown."""

from __future__ import annotations

import atexit
import contextvars
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass

IDLE_S = 5.0  # an idle worker thread ends after so many seconds, and the next job starts a new one

Stale = Callable[[], bool]
Work = Callable[[Stale], Iterable[None]]


# A thread that is inside PyTorch when Python ends brings the process down: end them all before.
_loops: weakref.WeakSet[Loop] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for loop in list(_loops):
        loop.close()


@dataclass(frozen=True)
class Job:
    """Work in stages: each yield says that something has been shown.

    A wish (`merge`) is replaced by the next wish as long as it waits; an action never is. A wish is
    told that it is stale only after its first stage, an action as soon as another job waits.
    """

    work: Work
    merge: bool = False


class Loop:
    """Runs jobs one after the other in a daemon thread that exists only while there is work.

    After the last job `idle(stale)` runs, to compute ahead. What a job raises goes to `failed`.

    >>> shown = []
    >>> def work(stale):
    ...     shown.append("coarse")
    ...     yield
    >>> loop = Loop(failed=print)
    >>> loop.submit(Job(work))
    >>> loop.wait(5)
    >>> loop.close(), shown
    (None, ['coarse'])
    """

    def __init__(self, failed: Callable[[Exception], None], idle: Work | None = None):
        self.failed, self.idle = failed, idle
        self._changed = threading.Condition()
        self._jobs: list[Job] = []
        self._busy = self._closed = False
        self._thread: threading.Thread | None = None
        _loops.add(self)

    def submit(self, job: Job) -> None:
        """Add a job without waiting for anything; after `close` do nothing."""
        with self._changed:
            if self._closed:
                return
            if job.merge and self._jobs and self._jobs[-1].merge:
                self._jobs.pop()
            self._jobs.append(job)
            if self._thread is None:
                # Widget messages find their way by context variables, which a new thread lacks.
                run = contextvars.copy_context().run
                self._thread = threading.Thread(target=run, args=(self._run,), daemon=True, name="labkit-panel")
                self._thread.start()
            self._changed.notify_all()

    def wait(self, timeout: float = 60.0) -> None:
        """Block until all submitted jobs are done; raise TimeoutError after `timeout` seconds."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("the worker cannot wait for itself")
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or not (self._jobs or self._busy), timeout):
                raise TimeoutError(f"the panel was still computing after {timeout:g} s")

    def close(self, timeout: float = 10.0) -> None:
        """Drop what waits, stop what runs at its next check, and let the thread end."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _waiting(self) -> bool:
        return self._closed or bool(self._jobs)

    def _next(self) -> Job | None:
        """Take the next job, or give the thread back when none comes."""
        with self._changed:
            self._changed.wait_for(self._waiting, IDLE_S)
            if self._closed or not self._jobs:
                self._thread = None
                return None
            self._busy = True
            return self._jobs.pop(0)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            self._guard(lambda: self._work(job))
            with self._changed:
                self._busy = False
                self._changed.notify_all()
            if self.idle is not None and not self._waiting():
                self._guard(lambda: self._drain(self.idle(self._waiting)))

    def _work(self, job: Job) -> None:
        shown = not job.merge
        stages = job.work(lambda: self._closed or (shown and bool(self._jobs)))
        for _ in stages:
            shown = True
            if self._closed:
                stages.close()
                return

    def _drain(self, stages: Iterable[None]) -> None:
        for _ in stages:
            if self._waiting():
                return

    def _guard(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:  # whatever a method does, the panel goes on and says what happened
            if not self._closed:
                self.failed(error)
