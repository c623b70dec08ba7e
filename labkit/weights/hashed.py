"""A weight whose numbers are shared at random, by a hash that takes no memory: Chen 2015."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from labkit.weights.base import Weight, as_weight

LARGEST_SEED = 2**63 - 1  # the largest whole number that a file may hold
MOST_VALUES = 2**30  # a place in the list of values and their negatives is an int32
BLOCK = 2**16  # numbers hashed together: all of it stays in the processor's cache


def mix(numbers: np.ndarray) -> np.ndarray:
    """Scramble 64-bit whole numbers, each into another one, so that neighbours have nothing in common.

        z = n + 1 steps of the golden ratio;   twice: z = (z xor z >> a) times an odd number;   z xor z >> 31

    This is the output of the generator splitmix64. All products are modulo 2^64, so that every
    machine finds the same. `numbers` and the result are uint64, of any shape.

    >>> [hex(number) for number in mix(np.arange(2, dtype=np.uint64))]
    ['0xe220a8397b1dcdaf', '0x6e789e6aa1b965f4']
    """
    z = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def chance(seed: int, count: int) -> np.ndarray:
    """Return uint64 numbers (count,) that look drawn at random, the same on every machine: mix(i xor mix(seed))."""
    return mix(np.arange(count, dtype=np.uint64) ^ mix(np.array([seed], np.uint64)))


def check_seed(seed: int) -> int:
    """Return the seed, or raise ValueError for one that no file may hold."""
    if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed is {seed!r}, but must be a whole number from 0 to 2^63 - 1")
    return seed


def places(seed: int, count: int, numbers: int) -> Tensor:
    """Say for each of n flat indices i which value it uses, and with which sign.

        z_i = mix(i xor mix(seed));   h(i) = upper 32 bits of z_i, times K, over 2^32;   xi(i) = lowest bit of z_i

    Returns int32 (n,): h(i) where the sign is +1, and K + h(i) where it is -1. `count` is K (Chen 2015).

    >>> places(seed=0, count=3, numbers=8).tolist()
    [1, 4, 4, 1, 5, 5, 0, 1]
    """
    found = np.empty(numbers, np.int32)
    key = mix(np.array([seed], np.uint64))
    for begin in range(0, numbers, BLOCK):
        z = mix(np.arange(begin, min(begin + BLOCK, numbers), dtype=np.uint64) ^ key)
        bucket = ((z >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32)
        found[begin : begin + BLOCK] = bucket + (z & np.uint64(1)) * np.uint64(count)
    return torch.from_numpy(found)


class Hashed(Weight):
    """Every number is one of K values or its negative, and a hash says which: V_ij = xi(i, j) values[h(i, j)].

    h is even on 0 to K - 1 and xi on -1 and 1; both come from the flat index and the seed (see `places`),
    so the file holds K values and one whole number. Training moves the values, each by the sum over its
    bucket of xi dL/dV. `values` (K,) is a tensor or a Weight, `shape` that of V. Raises ValueError for
    values that are not a list of at least one number, and for a seed that is not from 0 to 2^63 - 1 (Chen 2015).

    >>> weight = Hashed(torch.tensor([1.0, 2.0, 5.0]), 0, (2, 4))
    >>> weight().tolist()
    [[2.0, -2.0, -2.0, 2.0], [-5.0, -5.0, 1.0, 2.0]]
    >>> round(weight.sharing, 2)
    2.67
    """

    inner = ("values",)

    def __init__(self, values: Weight | Tensor, seed: int, shape: tuple[int, ...]):
        super().__init__()
        self.values = as_weight(values)
        if len(self.values.shape) != 1 or not 1 <= self.values.shape[0] <= MOST_VALUES:
            raise ValueError(
                f"values must be a list of 1 to {MOST_VALUES} numbers, not of shape {tuple(self.values.shape)}"
            )
        self.seed, self._shape = check_seed(seed), torch.Size(shape)
        # Not a buffer: it follows from the seed, so no file holds it and nobody counts it as stored.
        self._places: Tensor | None = None

    @property
    def shape(self) -> torch.Size:
        return self._shape

    @property
    def sharing(self) -> float:
        return max(1.0, math.prod(self.shape) / self.values.shape[0])

    def places(self, device: torch.device | str = "cpu") -> Tensor:
        """Return `places` for this weight, found when it is first asked for: a file alone makes no memory be taken."""
        if self._places is None or self._places.device != torch.device(device):
            with torch.inference_mode(False):  # it may first be asked for by an evaluation, then by training
                self._places = places(self.seed, self.values.shape[0], math.prod(self.shape)).to(device)
        return self._places

    def forward(self) -> Tensor:
        values = self.values()
        return torch.cat([values, -values]).index_select(0, self.places(values.device)).view(self.shape)
