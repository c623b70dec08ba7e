"""What decompositions cost, timed by a clock that the test sets."""

import pytest
import torch

from labkit.lowrank import cost as module
from labkit.lowrank.cost import WORKS, cost


class Clock:
    """A clock that stands still, but for the seconds that a decomposition of width w says it takes."""

    def __init__(self, monkeypatch, **seconds):
        self.now, self.seen = 0.0, []
        monkeypatch.setattr(module, "WORKS", {name: self.work(name, takes) for name, takes in seconds.items()})

    def __call__(self):
        return self.now

    def work(self, name, takes):
        def run(kernel):
            self.seen.append((name, tuple(kernel.shape)))
            self.now += takes(len(kernel))

        return run


def test_seconds_repeats_and_growth_are_those_of_the_clock(monkeypatch):
    clock = Clock(monkeypatch, cubic=lambda w: 1e-6 * w**3, square=lambda w: 1e-5 * w**2)
    table = cost((32, 8, 16, 16), budget_s=100, clock=clock)  # in any order, and each once
    assert table.columns == ("Decomposition", "w = 8", "w = 16", "w = 32", "growth")
    cubic, square = table.rows
    assert cubic == [
        ("cubic", ""),
        ("0.00051 s", "3 repeats"),
        ("0.0041 s", "3 repeats"),
        ("0.033 s", "3 repeats"),
        ("3.0", ""),
    ]
    assert square[0] == ("square", "") and square[-1] == ("2.0", "")
    assert set(clock.seen) == {(name, (w, w, 3, 3)) for name in ("cubic", "square") for w in (8, 16, 32)}


def test_the_middle_of_the_repeats_is_shown(monkeypatch):
    several = iter([9.0, 1.0, 5.0, 2.0, 8.0, 40.0, 20.0])  # the first call is no repeat
    table = cost((2, 4), budget_s=1000, clock=Clock(monkeypatch, one=lambda w: next(several)))
    assert table.rows[0][1:3] == [("2 s", "3 repeats"), ("20 s", "3 repeats")]


def test_a_width_that_would_take_too_long_is_left_out_and_said_so(monkeypatch):
    clock = Clock(monkeypatch, slow=lambda w: 1e-3 * w**3, quick=lambda w: 1e-6 * w)
    table = cost((4, 8, 16, 32), budget_s=8, clock=clock)
    slow, quick = table.rows
    assert [cell[0] for cell in slow[1:]] == ["0.064 s", "0.51 s", "left out", "left out", "3.0"]
    assert [cell[1] for cell in slow[3:5]] == ["about 4 s", "about 30 s"]  # 4.1 and 33, to one digit
    assert [cell[0] for cell in quick[1:]] == ["4e-06 s", "8e-06 s", "1.6e-05 s", "3.2e-05 s", "1.0"]
    assert max(shape[0] for name, shape in clock.seen if name == "slow") == 8 and clock.now < 8
    assert "left out" in repr(table)


def test_one_width_alone_has_no_growth(monkeypatch):
    table = cost((4, 64), budget_s=1, clock=Clock(monkeypatch, slow=lambda w: 0.6))
    assert [cell[0] for cell in table.rows[0][1:]] == ["0.6 s", "left out", "unknown"]
    assert table.rows[0][1][1] == "1 repeat"


@pytest.mark.parametrize("budget", [1, 5, 15, 60])
def test_in_all_it_takes_about_the_time_that_it_is_given(monkeypatch, budget):
    works = {f"power {p}": lambda w, p=p: 2e-4 * (w / 16) ** p for p in (2, 3, 3.5, 4)}
    clock = Clock(monkeypatch, **works)
    table = cost(budget_s=budget, clock=clock)
    assert clock.now <= 1.1 * budget
    assert all(row[-1][0] == f"{float(row[0][0].split()[1]):.1f}" for row in table.rows)


def test_a_clock_that_ticks_too_slowly_is_no_trouble(monkeypatch):
    table = cost((4, 8), budget_s=1, clock=Clock(monkeypatch, quick=lambda w: 0.0))
    assert table.rows[0][-1][0] == "unknown"


def test_all_decompositions_run_in_one_thread_and_in_the_tables_order():
    before = torch.get_num_threads()
    table = cost((4, 8), budget_s=2)
    assert [row[0][0] for row in table.rows] == list(WORKS) == [
        "SVD", "Tensor train", "HOSVD", "HOOI, at most 20 iterations", "CP",
    ]  # fmt: skip
    assert torch.get_num_threads() == before
    seconds = [float(row[1][0].split()[0]) for row in table.rows]
    assert seconds[-1] > 5 * seconds[0] > 0  # iterations take longer than one SVD


@pytest.mark.parametrize("widths, budget", [((8,), 1), ((8, 8), 1), ((1, 8), 1), ((), 1), ((4, 8), 0), ((4, 8), -1)])
def test_mistakes_are_named(widths, budget):
    with pytest.raises(ValueError, match="give two or more widths from 2, and time above 0"):
        cost(widths, budget)
