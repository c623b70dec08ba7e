"""Data sets that are made from the pictures of another, in splits of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from labkit.data import Data


def remade(
    plain: Data, name: str, change: Callable[[Tensor], Tensor], sizes: tuple[int, int, int], seed: int = 0
) -> Data:
    """Change the pictures (uint8) of all splits of a data set, and split them anew, in an order of their own.

    `sizes` are those of the training, validation and test split, together at most as many as there are pictures. The
    order comes from NumPy's legacy generator, whose stream is frozen by policy.
    """
    splits = plain.train, plain.validation, plain.test
    images, labels = (torch.cat([getattr(split, part) for split in splits]) for part in ("images", "labels"))
    order = torch.from_numpy(np.random.RandomState(seed).permutation(len(labels)))[: sum(sizes)]
    whole = replace(plain.train, images=change(images[order]), labels=labels[order])
    train, validation, test = (whole.take(part) for part in torch.arange(len(order)).split(sizes))
    pixels = train.images.float() / 255
    scale = {"mean": (float(pixels.mean()),), "std": (float(pixels.std()),)}
    return replace(plain, name=name, train=train, validation=validation, test=test, **scale)
