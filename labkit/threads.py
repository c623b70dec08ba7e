"""How many threads pay: all of them on a quiet machine, one where other programs want the processors.

A parallel product ends when its slowest thread ends. Where another program holds one of the
processors, that thread waits for its turn, in every layer anew, and two threads can be many times
slower than one. So the evaluator tries both on its real work and takes the faster.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import torch


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Let PyTorch use so many threads inside the block.

    >>> with threads(1):
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)


class Contest:
    """Times equal pieces of work with one thread and with all, and keeps to the faster.

    >>> contest = Contest(2)
    >>> for _ in range(2):
    ...     contest.run(lambda: None)
    >>> contest.best in (1, 2)
    True
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.perf_counter):
        self.most = self.best = most
        self._clock, self._times = clock, {}
        self.reopen()

    def reopen(self) -> None:
        """Try both again in the next two pieces of work."""
        self._untried = [1, self.most] if self.most > 1 else []

    def run(self, work: Callable[[], object]) -> object:
        """Do a piece of work with the threads whose turn it is, and return its result."""
        count = self._untried[0] if self._untried else self.best
        begin = self._clock()
        with threads(count):
            result = work()
        if self._untried:
            self._times[self._untried.pop(0)] = self._clock() - begin
            if not self._untried:
                self.best = min(self._times, key=self._times.get)
        return result
