"""Timing with a clock that the test moves: what is averaged, what is compared, what is called real."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labkit import layers, zoo
from labkit.latency import Ratio, calibrate, compare, forward, in_turns, latency, ratio, timed
from labkit.weights import LowRank


class Clock:
    """A clock that stands still but for the work that moves it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, *seconds: float):
        turns = itertools.cycle(seconds)

        def run():
            self.now += next(turns)

        return run


def test_a_block_is_averaged_over_its_calls():
    clock = Clock()
    assert timed(clock.work(1.0, 3.0), 4, clock) == 2.0
    assert calibrate([clock.work(0.001), clock.work(1.0)], clock) == [4, 1]


@given(st.floats(0.2, 5))
def test_steady_work_gives_its_ratio(factor):
    clock = Clock()
    found = compare(clock.work(0.01), clock.work(0.01), clock.work(0.01 / factor), clock=clock)
    assert found.value == pytest.approx(factor) and found.control == pytest.approx(1)
    assert found.real == (abs(factor - 1) > 1e-9)


def test_a_ratio_inside_the_controls_spread_is_not_real():
    clock = Clock()
    noisy = clock.work(0.010, 0.013, 0.016, 0.008)
    found = compare(clock.work(0.010), noisy, clock.work(0.009), clock=clock)
    assert found.control_low < found.value < found.control_high
    assert not found.real and "no real difference" in str(found)


def test_a_ratio_that_is_now_above_and_now_below_one_is_not_real():
    clock = Clock()
    found = compare(clock.work(0.010), clock.work(0.010), clock.work(*[0.008] * 5, *[0.012] * 3), clock=clock)
    assert found.control_low == pytest.approx(1) and found.value > 1.1 and found.low < 1
    assert not found.real


def test_a_machine_that_slows_down_does_not_favour_who_comes_first():
    clock = Clock()

    def drifting(seconds: float):
        def run():
            clock.now += seconds * (1 + clock.now)

        return run

    found = compare(drifting(0.01), drifting(0.01), drifting(0.005), rounds=30, clock=clock)
    assert found.control == pytest.approx(1, abs=0.03)
    assert found.value == pytest.approx(2, rel=0.03)


def test_turns_change_their_order_and_settle_before_each_block(monkeypatch):
    clock, ran, slept = Clock(), [], []
    monkeypatch.setattr("labkit.latency.time.sleep", slept.append)

    def named(name: str, seconds: float):
        def run():
            ran.append(name)
            clock.now += seconds

        return run

    times = in_turns([named("a", 1.0), named("b", 2.0), named("c", 0.002)], 4, clock, settle_s=0.5)
    np.testing.assert_allclose(times, [[1.0, 2.0, 0.002]] * 4)
    assert slept == [0.5] * 12
    blocks = [name for name, _ in itertools.groupby(ran[9:])]  # after three warm calls of each
    assert "".join(blocks) == "abc" + "acb" + "cab" + "cba"
    assert ran[9:].count("c") == 4 * (2 + 1)  # two in a block, and one to wake it


def test_a_budget_ends_the_turns_after_three_rounds():
    clock = Clock()
    assert len(in_turns([clock.work(1.0), clock.work(1.0)], 15, clock, budget_s=1.0)) == 3
    assert len(in_turns([clock.work(1.0), clock.work(1.0)], 15, clock, budget_s=9.0)) == 5


def test_too_few_rounds_are_refused():
    with pytest.raises(ValueError, match="at least 3"):
        compare(int, int, int, rounds=2)
    with pytest.raises(ValueError, match="at least 1"):
        forward(zoo.build("LeNet-5"), (1, 28, 28), 0, "cpu")


def test_latency_states_what_was_measured():
    found = latency(layers.adopt(zoo.build("LeNet-300-100")), (1, 28, 28), batch=2, repeats=5)
    assert 0 < found.q1 <= found.median <= found.q3
    assert (found.batch, found.threads, found.device) == (2, torch.get_num_threads(), "cpu")
    assert "thread" in str(found)


def test_a_hundredth_of_the_work_is_really_faster():
    dense = layers.adopt(torch.nn.Sequential(torch.nn.Linear(3000, 3000)))
    thin = layers.replace(dense, {"0.weight": LowRank(torch.ones(3000, 2), torch.ones(2, 3000), (3000, 3000))})
    found = ratio(dense, thin, (3000,), batch=64, rounds=9)
    assert isinstance(found, Ratio) and found.value > 1
