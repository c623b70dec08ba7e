"""The worker: newest value wins, the first result of a started job is shown, nothing is left behind."""

import threading
import time

import pytest

from labkit.live import loop as loops
from labkit.live.loop import Job, Loop


@pytest.fixture
def errors():
    return []


@pytest.fixture
def loop(errors):
    made = Loop(failed=errors.append)
    yield made
    made.close()


def wish(number, shown, gate=None):
    """A wish that shows two stages, waiting at the gate before the first."""

    def work(stale):
        if gate:
            gate.wait(10)
        shown.append((number, "coarse"))
        yield
        if not stale():
            shown.append((number, "fine"))
            yield

    return Job(work, merge=True)


def test_newest_wish_wins_and_the_started_one_still_shows_its_first_result(loop):
    shown, gate, started = [], threading.Event(), threading.Event()
    first = wish(0, shown, gate)

    def announced(stale):
        started.set()
        yield from first.work(stale)

    loop.submit(Job(announced, merge=True))
    assert started.wait(10)
    for number in range(1, 50):
        loop.submit(wish(number, shown))
    gate.set()
    loop.wait(10)
    assert shown == [(0, "coarse"), (49, "coarse"), (49, "fine")]


def test_actions_are_never_dropped_and_keep_their_place(loop):
    shown, gate = [], threading.Event()
    loop.submit(wish("held", [], gate))

    def action(name):
        def work(stale):
            shown.append(name)
            yield

        return Job(work)

    for job in (wish("dropped", shown), wish("kept", shown), action("save"), action("keep"), wish("last", shown)):
        loop.submit(job)
    gate.set()
    loop.wait(10)
    # The wish before the actions is shown, but not refined: something else waits already.
    assert shown == [("kept", "coarse"), "save", "keep", ("last", "coarse"), ("last", "fine")]


def test_a_running_action_is_told_to_stop_by_whatever_comes_next(loop):
    steps, running = [], threading.Event()

    def training(stale):
        while not stale():
            steps.append(1)
            running.set()
            time.sleep(0.001)
            yield

    loop.submit(Job(training))
    assert running.wait(10)
    shown = []
    loop.submit(wish(1, shown))
    loop.wait(10)
    assert shown == [(1, "coarse"), (1, "fine")] and steps


def test_an_error_is_reported_and_the_next_job_runs(loop, errors):
    def broken(stale):
        yield
        raise ZeroDivisionError("a method divided by zero")

    shown = []
    loop.submit(Job(broken))
    loop.submit(wish(1, shown))
    loop.wait(10)
    assert [str(error) for error in errors] == ["a method divided by zero"]
    assert shown[-1] == (1, "fine")


def test_wait_times_out_while_work_goes_on(loop):
    gate = threading.Event()
    loop.submit(wish(1, [], gate))
    with pytest.raises(TimeoutError, match="still computing"):
        loop.wait(0.05)
    gate.set()
    loop.wait(10)


def test_close_stops_a_job_that_would_run_for_ever_and_ends_the_thread(loop):
    running = threading.Event()

    def endless(stale):
        while True:
            running.set()
            time.sleep(0.001)
            yield

    loop.submit(Job(endless))
    assert running.wait(10)
    thread = loop._thread
    loop.close()
    assert not thread.is_alive()
    loop.submit(wish(1, shown := []))
    loop.wait(1)
    assert shown == []


def test_an_idle_thread_ends_by_itself_and_the_next_job_starts_another(loop, monkeypatch):
    monkeypatch.setattr(loops, "IDLE_S", 0.02)
    loop.submit(wish(1, []))
    loop.wait(10)
    thread = loop._thread
    if thread is not None:
        thread.join(10)
    assert loop._thread is None
    loop.submit(wish(2, shown := []))
    loop.wait(10)
    assert shown == [(2, "coarse"), (2, "fine")]


def test_looking_ahead_gives_way_to_work(errors):
    looked, shown = threading.Event(), []

    def ahead(stale):
        while True:
            looked.set()
            time.sleep(0.001)
            yield

    loop = Loop(errors.append, idle=ahead)
    loop.submit(wish(1, shown))
    assert looked.wait(10)
    loop.wait(10)  # looking ahead is not something to wait for
    loop.submit(wish(2, shown))
    loop.wait(10)
    loop.close()
    assert shown[-1] == (2, "fine") and errors == []
