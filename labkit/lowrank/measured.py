"""How much a network loses with a rung for each layer, measured on training pictures, and where a budget is best spent.

    loss = mean over pictures of  KL(p || q) = sum over classes of  p log(p / q),

p the classes that the original network gives, q those of the compressed one, in nats. Each layer is cut alone at a
few ranks first. The losses of layers cut together do not just add up: errors that know nothing of each other add
their squares, and since a small loss is a square of the error, their losses add up; errors that push one way add
themselves, and it is the roots of their losses that add up. A knapsack finds the best ranks for either, the same rank
for all is the best of the rules that look at no picture, and the network, measured as a whole, says which of the three
is right. Where few layers lose enough to matter, ranks are exchanged: each is measured a little higher and a little
lower among the others as they are, the knapsack chooses once more, and the exchange stays if the loss falls.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from labkit.data import Data
from labkit.lowrank.knapsack import pick
from labkit.lowrank.ladder import Choice, Ladders, Slot
from labkit.lowrank.shares import equal_rank
from labkit.skeleton import Skeleton
from labkit.threads import Contest

PICTURES = 80
RUNGS = 6  # of a ladder, measured at most
RUINED = 1.0  # nats; below a rung that loses more, only the lowest is measured
LEAST = 1e-4  # nats; smaller losses count as none of them is better
FELT = 0.003  # nats, from which on other choices are tried than that of the least sum of losses
MATTERS = (0.03, 1.0)  # nats, within which an exchange pays: below, there is little to win, and above little to save
APART = 1.3  # how far an exchange moves a rank
FEW = 12  # layers: where there are more, an exchange takes longer and wins nothing that few pictures could tell


class Probe:
    """Measures the loss of a network with a rung for each ladder, on so many training pictures."""

    def __init__(self, ladders: Ladders, data: Data, images: int = PICTURES, seed: int = 0):
        model = ladders.curve.model
        self.ladders, self._slot = ladders.ladders, Slot(model)
        drawn = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))[:images]
        device = next((tensor.device for tensor in model.state_dict().values()), torch.device("cpu"))
        pictures = data.normalise(data.train.images[drawn].to(device))
        self._seen = pictures.contiguous(memory_format=torch.channels_last)
        self._skeleton, self._contest = Skeleton(model, self._seen[:2]), Contest(torch.get_num_threads())
        self._choice = self.whole = tuple(ladder.top for ladder in self.ladders)
        self._known: dict[Choice, float] = {}
        self._expected = self._outputs().log_softmax(1)

    def _outputs(self) -> torch.Tensor:
        self._skeleton.load(self._slot.model)
        return self._contest.run(lambda: self._skeleton.run(0, lambda: self._seen)).double()

    def loss(self, choice: Sequence[int]) -> float:
        """Return the loss in nats; infinite where the network no longer gives numbers."""
        choice = tuple(choice)
        if choice not in self._known:
            for ladder, rung, before in zip(self.ladders, choice, self._choice, strict=True):
                if rung != before:
                    self._slot.put(ladder.path, ladder.at(rung))
            self._choice = choice
            p, q = self._expected, self._outputs().log_softmax(1)
            loss = float((p.exp() * (p - q)).sum(1).mean())  # KL(p || q)
            self._known[choice] = max(loss, 0.0) if np.isfinite(loss) else np.inf
        return self._known[choice]


def alone(probe: Probe) -> list[np.ndarray]:
    """Return for each ladder the loss (rungs,) with this one layer cut: measured on some rungs, read off between."""
    return [_alone(probe, index) for index in range(len(probe.ladders))]


def _alone(probe: Probe, index: int) -> np.ndarray:
    """Measure from the highest rung down; what is ruined already is worth only one more look, at the lowest."""
    ladder, measured = probe.ladders[index], {}
    wanted = np.geomspace(ladder.ranks[0], ladder.ranks[-1], RUNGS)
    rungs = np.unique(np.searchsorted(ladder.ranks, wanted.round())).tolist()
    while rungs:
        rung = rungs.pop()
        measured[rung] = probe.loss(_with(probe.whole, index, rung))
        if measured[rung] > RUINED:
            rungs = rungs[:1]
    return _curve(ladder.ranks, measured)


def _curve(ranks: tuple[int, ...], measured: dict[int, float]) -> np.ndarray:
    """Return the loss on each rung from that on some: straight lines in log loss over log rank, and never rising."""
    rungs = sorted(measured)
    losses = np.maximum.accumulate([measured[rung] for rung in rungs][::-1])[::-1]
    logs = np.log(np.clip(losses, LEAST, 1e3))
    between = np.interp(np.log(ranks), np.log([ranks[rung] for rung in rungs]), logs)
    return np.append(np.exp(between), 0.0)


def allocate(ladders: Ladders, probe: Probe, unit: str, limits: Sequence[float]) -> dict[float, Choice]:
    """Find for each limit, in a unit, the rungs that lose least, and note the losses of single layers in the ladders.

    A higher limit never gets rungs that were measured to lose more.
    """
    if ladders.losses is None:
        ladders.losses = alone(probe)
    costs, tried, found = ladders.costs(unit), [], {}
    for limit in sorted(limits):
        free = limit - ladders.fixed[unit]
        tried.append(tuple(pick(costs, ladders.losses, free)))
        if min(map(probe.loss, tried)) > FELT:
            tried.append(tuple(pick(costs, [np.sqrt(loss) for loss in ladders.losses], free)))
            tried.append(equal_rank(ladders, unit, limit))
        best = min(tried, key=probe.loss)
        if MATTERS[0] < probe.loss(best) < MATTERS[1] and len(costs) <= FEW:
            best = exchange(probe, best, costs, free)
        tried, found[limit] = [best], best
    return found


def exchange(probe: Probe, choice: Choice, costs: list[np.ndarray], limit: float) -> Choice:
    """Take ranks where they matter less than one by one they seemed to, and give them where they matter more.

    Returns other rungs within the limit that were measured to lose less, or the same ones.
    """
    here, windows, prices, losses = probe.loss(choice), [], [], []
    for index, (ladder, rung) in enumerate(zip(probe.ladders, choice, strict=True)):
        places = sorted({ladder.near(rung, 1 / APART), rung, ladder.near(rung, APART)})
        known = [probe.loss(_with(choice, index, place)) for place in places]
        window = range(places[0], places[-1] + 1)
        falling = np.minimum.accumulate(np.nan_to_num(known, posinf=1e3))
        windows.append(window)
        prices.append(costs[index][window.start : window.stop])
        losses.append(np.interp(window, places, falling))
    found = pick(prices, losses, limit)
    other = tuple(window[step] for window, step in zip(windows, found, strict=True))
    return other if probe.loss(other) < here else choice


def _with(choice: Choice, index: int, rung: int) -> Choice:
    """Return a choice with another rung for one ladder."""
    return (*choice[:index], rung, *choice[index + 1 :])
