"""Two networks on the same pictures: what only one of them has right tells more than two accuracies."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from labkit.data import Data
from labkit.deploy import deployed


@torch.inference_mode()
def right(model: nn.Module, data: Data, split: str, batch: int = 200) -> Tensor:
    """Say of each picture of a split, (n,), whether the network has it right, in float32.

    Raises ValueError for a split that does not exist.
    """
    net, part = deployed(model), data.split(split)
    batches = zip(part.images.split(batch), part.labels.split(batch), strict=True)
    return torch.cat([net(data.normalise(images)).argmax(1) == labels for images, labels in batches])


def compare(one: nn.Module, other: nn.Module, data: Data, split: str) -> dict[str, int]:
    """Count the pictures of a split, those that each network has right, and those that only one of them has."""
    first, second = right(one, data, split), right(other, data, split)
    return {
        "images": len(first),
        "right": int(first.sum()),
        "other_right": int(second.sum()),
        "only_right": int((first & ~second).sum()),
        "only_other_right": int((second & ~first).sum()),
    }


def mcnemar(only_one: int, only_other: int) -> float:
    """Return how likely two equally good networks differ at least so much on the same pictures (McNemar 1947).

        p = min(1, 2 sum_{i <= min(b, c)} C(n, i) / 2^n),  n = b + c

    b and c count the pictures that only one or only the other has right; each is a toss of a fair coin.

    >>> mcnemar(5, 5), mcnemar(0, 6)
    (1.0, 0.03125)
    """
    tosses = only_one + only_other
    tail = sum(math.comb(tosses, heads) for heads in range(min(only_one, only_other) + 1))
    return min(1.0, 2 * tail / 2**tosses)
