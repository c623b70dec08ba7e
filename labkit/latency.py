"""How long a network takes on this machine, and whether it is really faster than another.

A processor that others use too gives another time at every call. So one number is a median with its
quartiles, and a ratio is the median of ratios of neighbouring blocks, beside a control in which the
baseline runs against itself: what lies inside the control's spread is not called real.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from labkit.deploy import deployed

BLOCK_S = 0.004  # a timed block is at least so long, far above the clock's resolution
WARM = 3
Work = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Latency:
    """The time of one forward pass, in seconds: the median and the quartiles around it."""

    median: float
    q1: float
    q3: float
    batch: int
    repeats: int
    threads: int
    device: str

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s' * (self.threads > 1)}" if self.device == "cpu" else ""
        spread = f"quartiles {1e3 * self.q1:.3g} to {1e3 * self.q3:.3g}"
        return f"{1e3 * self.median:.3g} ms for {self.batch} ({spread}, {self.repeats} repeats, {self.device}{threads})"


@dataclass(frozen=True)
class Ratio:
    """How many times faster than a baseline, and what the baseline against itself gave (the control).

    `low` to `high` and `control_low` to `control_high` hold nine in ten of the single comparisons.
    """

    value: float
    low: float
    high: float
    control: float
    control_low: float
    control_high: float
    rounds: int

    @property
    def real(self) -> bool:
        """Whether the ratio lies outside what the baseline gave against itself, and its own range leaves 1 out."""
        return not (self.control_low <= self.value <= self.control_high or self.low <= 1 <= self.high)

    def __str__(self) -> str:
        verdict = "real" if self.real else "no real difference"
        spread = f"{self.low:.2f} to {self.high:.2f}"
        return f"x {self.value:.2f} ({spread}; control {self.control_low:.2f} to {self.control_high:.2f}: {verdict})"


def latency(
    model: nn.Module,
    image_shape: tuple[int, int, int],
    batch: int = 1,
    repeats: int = 20,
    device: torch.device | str = "cpu",
    budget_s: float = 2.0,
) -> Latency:
    """Time the forward pass of a network as it would be deployed (see `labkit.deploy.deployed`).

    At most `repeats` blocks are timed, at least three, and no more than fit into `budget_s` seconds.

    >>> from labkit import zoo
    >>> latency(zoo.build("LeNet-300-100"), (1, 28, 28), repeats=3).batch
    1
    """
    work = forward(model, image_shape, batch, device)
    begin = time.perf_counter()
    calls = calibrate([work], time.perf_counter)[0]
    times: list[float] = []
    while len(times) < 3 or (len(times) < repeats and time.perf_counter() - begin < budget_s):
        times.append(timed(work, calls, time.perf_counter))
    q1, median, q3 = np.percentile(times, [25, 50, 75]).tolist()
    return Latency(median, q1, q3, batch, len(times), torch.get_num_threads(), torch.device(device).type)


def ratio(
    baseline: nn.Module,
    model: nn.Module,
    image_shape: tuple[int, int, int],
    batch: int = 1,
    rounds: int = 15,
    device: torch.device | str = "cpu",
) -> Ratio:
    """Say how many times faster the model is than the baseline, both as they would be deployed."""
    first, again, other = (forward(net, image_shape, batch, device) for net in (baseline, baseline, model))
    return compare(first, again, other, rounds)


def compare(baseline: Work, again: Work, other: Work, rounds: int = 15, clock: Clock = time.perf_counter) -> Ratio:
    """Time three pieces of work in turns: the baseline, the baseline again (the control), and the other.

    Each round times all three, starting with another one each time, and gives one ratio of each kind.
    Raises ValueError for fewer than three rounds.
    """
    return ratio_of(*in_turns([baseline, again, other], rounds, clock).T)


def in_turns(
    works: Sequence[Work],
    rounds: int = 15,
    clock: Clock = time.perf_counter,
    settle_s: float = 0.0,
    budget_s: float = math.inf,
) -> np.ndarray:
    """Time pieces of work in turns, and return the seconds of one call of each, (rounds, works).

    Each round starts with another one, and every second round runs backwards, so that none always
    follows the same. Two runtimes in one process disturb each other, since the threads of one still
    wait actively when the other begins: where `settle_s` is not 0, so many seconds pass before each
    block, and short work is run twice to wake its threads. After three rounds, no round begins when
    `budget_s` is spent. Raises ValueError for fewer than three rounds.

    >>> in_turns([int, float], rounds=3).shape
    (3, 2)
    """
    if rounds < 3:
        raise ValueError(f"rounds is {rounds}, but a spread needs at least 3")
    calls, count, begin = calibrate(works, clock), len(works), clock()
    times: list[list[float]] = []
    while len(times) < 3 or (len(times) < rounds and clock() - begin < budget_s):
        row = [0.0] * count
        order = [(len(times) + step) % count for step in range(count)]
        for index in order[::-1] if len(times) % 2 else order:
            if settle_s:
                time.sleep(settle_s)
                for _ in range(min(2, calls[index] - 1)):  # a call as long as a block hides its own start
                    works[index]()
            row[index] = timed(works[index], calls[index], clock)
        times.append(row)
    return np.array(times)


def ratio_of(baseline: np.ndarray, again: np.ndarray, other: np.ndarray) -> Ratio:
    """Say how many times faster the other is, from times that were taken in turns, (rounds,) each.

    >>> print(ratio_of(*np.array([[4.0, 4.0, 4.0], [4.0, 4.1, 3.9], [2.0, 2.0, 2.0]])))
    x 2.00 (2.00 to 2.00; control 0.98 to 1.02: real)
    """
    ratios = np.stack([baseline / other, baseline / again], axis=1)
    (low, control_low), (value, control), (high, control_high) = np.percentile(ratios, [5, 50, 95], axis=0).tolist()
    return Ratio(value, low, high, control, control_low, control_high, len(ratios))


def forward(model: nn.Module, image_shape: tuple[int, int, int], batch: int, device: torch.device | str) -> Work:
    """Return what runs the deployed network once on a batch of noise and waits for the result."""
    return running(deployed(model), image_shape, batch, device)


def running(net: nn.Module, image_shape: tuple[int, int, int], batch: int, device: torch.device | str) -> Work:
    """Return what runs a network, just as it is, once on a batch of noise and waits for the result."""
    if batch < 1:
        raise ValueError(f"batch is {batch}, but must be at least 1")
    on = torch.device(device)
    net = net.to(on)
    images = torch.randn(batch, *image_shape, generator=torch.Generator().manual_seed(0)).to(on)
    if images.ndim == 4:
        images = images.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run() -> None:
        net(images)
        if on.type == "cuda":
            torch.cuda.synchronize(on)
        elif on.type == "mps":
            torch.mps.synchronize()

    return run


def calibrate(works: Sequence[Work], clock: Clock) -> list[int]:
    """Warm each piece of work up, and say how many calls of it make one block."""
    calls = []
    for work in works:
        took = [timed(work, 1, clock) for _ in range(WARM)]
        calls.append(max(1, round(BLOCK_S / max(min(took), 1e-7))))
    return calls


def timed(work: Work, calls: int, clock: Clock) -> float:
    """Return the seconds of one call, averaged over a block of calls."""
    begin = clock()
    for _ in range(calls):
        work()
    return (clock() - begin) / calls
