"""MNIST with every digit turned by an angle of its own: a task in which no direction is special.

Larochelle 2007 turned MNIST's digits by angles drawn evenly from 0 to 360 degrees; the data set has 12,000 pictures to
train and validate with and 50,000 to test. Ours is made the same way out of MNIST's 70,000, but of other digits and
angles, so that errors are close to those on the original file and not the same. We train on 12,000 and have 2,000 more
for validation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.variants import remade

if TYPE_CHECKING:
    from labkit.data import Data

SIZES = (12_000, 2_000, 50_000)  # of the training, validation and test split
PART = 5_000  # pictures at a time, so that little memory is taken


def variant(plain: Data, name: str, seed: int = 0) -> Data:
    """Make the data set with turned pictures out of all pictures of a plain one."""
    return remade(plain, name, lambda images: scattered(images, seed), SIZES, seed)


def scattered(images: Tensor, seed: int = 0) -> Tensor:
    """Turn each picture (uint8, shape n, channels, height, width) by an angle that is drawn evenly.

    The angles come from NumPy's legacy generator, whose stream is frozen by policy.
    """
    angles = torch.from_numpy(np.random.RandomState(seed).uniform(0, 360, len(images))).float()
    parts = zip(images.split(PART), angles.split(PART), strict=True)
    return torch.cat([turned(part.float(), angle).round().clamp(0, 255).to(torch.uint8) for part, angle in parts])


def turned(images: Tensor, degrees: Tensor | float) -> Tensor:
    """Turn pictures (n, channels, height, width) counterclockwise, each by an angle (n,) or all by one, in degrees.

    They turn about their middle. Between pixels the new ones are interpolated in straight lines, and zeros lie beyond
    the border. Whole quarter turns of a square are exact.

    >>> picture = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> turned(picture, 90).tolist()
    [[[[2.0, 4.0], [1.0, 3.0]]]]
    """
    if not isinstance(degrees, Tensor):
        quarters, rest = divmod(degrees, 90)
        if rest == 0 and images.shape[2] == images.shape[3]:
            return torch.rot90(images, int(quarters) % 4, (2, 3))
        degrees = torch.full((len(images),), float(degrees), device=images.device)
    height, width = images.shape[2:]
    cos, sin = (turn(degrees * math.pi / 180) for turn in (torch.cos, torch.sin))
    zero = torch.zeros_like(cos)
    rows = torch.stack((cos, -sin * height / width, zero), 1), torch.stack((sin * width / height, cos, zero), 1)
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
