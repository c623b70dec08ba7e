"""An accuracy estimated from few pictures: paired with the original, and looking where it is in doubt.

The original's answers are known for all N pictures, so only the change of each answer is sampled.
Answers change where the original hesitated, so a picture is taken the sooner the smaller its margin
m (the gap between the two largest softmax outputs). Picture i gets the size

    w_i = 0.3 + 0.7 (1.03 - m_i) / mean(1.03 - m),     and the priority  w_i / u_i,  u_i uniform in (0, 1).

The n pictures of highest priority are a sample in which picture i stands for 1 / pi_i pictures,
pi_i = min(1, w_i / t) with t the next priority, and the variance of a total is estimated without bias
by the sum of (1 - pi_i) / pi_i^2 e_i^2 (priority sampling: Duffield, Lund and Thorup, JACM 2007).
Every beginning of the order is a sample of its own, and the whole order is the exact result.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

UNIFORM = 0.3  # share of the sampling that does not look at the margin
QUANTILE = 2.1  # a little above the normal 1.96: the variance, too, is estimated from few pictures


@dataclass(frozen=True)
class Estimate:
    """An accuracy on a whole split, from 0 to 1, with the interval that holds it in 95 of 100 cases.

    `images` were looked at: those at `index` in the split got the answers `predictions`.
    """

    value: float
    low: float
    high: float
    images: int
    index: Tensor = field(repr=False)
    predictions: Tensor = field(repr=False)

    def __str__(self) -> str:
        low, value, high = (100 * share for share in (self.low, self.value, self.high))
        return f"{value:.2f} % ({low:.2f} to {high:.2f} %, from {self.images:,} pictures)"


def margins(outputs: Tensor) -> Tensor:
    """Return the gap between the two largest softmax outputs of each row.

    >>> margins(torch.tensor([[0.0, 0.0], [100.0, 0.0]])).tolist()
    [0.0, 1.0]
    """
    top = outputs.float().softmax(1).topk(2, dim=1).values
    return (top[:, 0] - top[:, 1]).nan_to_num(0)


class Sample:
    """The order in which pictures are looked at, and the estimate from any beginning of it.

    `margin` (N,) from 0 to 1 and `right` (N,) belong to the original network. The same seed gives
    the same order, so that neighbouring positions of a slider are compared on the same pictures.
    """

    def __init__(self, margin: Tensor, right: Tensor, seed: int = 0):
        doubt = 1.03 - margin.double().cpu().numpy()
        sizes = UNIFORM + (1 - UNIFORM) * doubt / doubt.mean()
        # NumPy's legacy generator: its stream is frozen by policy.
        priority = sizes / (1 - np.random.RandomState(seed).random_sample(len(sizes)))
        order = np.argsort(-priority, kind="stable")
        self.order = torch.from_numpy(order)
        self._priority, self._sizes = priority[order], sizes[order]
        self._right = right.cpu().numpy()[order]
        self._share = {answer: float((self._right == answer).mean()) for answer in (True, False)}

    def __len__(self) -> int:
        return len(self.order)

    def estimate(self, predictions: Tensor, labels: Tensor) -> Estimate:
        """Estimate the accuracy from the first n answers in the sample's order, `labels` in the same order.

        The changes are averaged among the pictures that the original got right and among those that
        it got wrong, then weighted by how many of each there are, so that the same formula holds where
        few answers changed and where most did.
        """
        seen = len(predictions)
        threshold = self._priority[seen] if seen < len(self) else 0.0
        chance = np.minimum(1, self._sizes[:seen] / threshold) if threshold else np.ones(seen)
        right = (predictions == labels).cpu().numpy()
        value, rest = 0.0, np.zeros(seen)
        for answer, share in self._share.items():
            group = self._right[:seen] == answer
            if group.any():
                mean = np.average(right[group], weights=1 / chance[group])
                rest[group] = right[group] - mean
                value += share * mean
            else:
                value += share * answer
        spread = QUANTILE * np.sqrt(self._variance(rest, chance))
        low, high = np.clip([value - spread, value + spread], 0, 1)
        return Estimate(float(value), float(low), float(high), seen, self.order[:seen], predictions)

    def _variance(self, rest: np.ndarray, chance: np.ndarray) -> float:
        """The variance of the estimate, with one change more than was seen: none seen is not none there."""
        weights = (1 - chance) / chance**2
        sizes = self._sizes[: len(rest)]
        unseen = np.average(weights, weights=sizes) if len(rest) else len(self) ** 2
        return float((weights * rest**2).sum() + unseen) / len(self) ** 2
