"""The displacement of a matrix, before and now: what is left when it is moved down and right by one and subtracted."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from labkit import layers
from labkit.layers import Linear
from labkit.live.result import Result, Subject
from labkit.live.views.filters import draw_pair
from labkit.live.views.picture import picture
from labkit.methods import Picture
from labkit.weights.toeplitz import inner_displacement

NAME = "displacement"
TITLE = "The displacement, before and after"
TOLERANCE = 1e-4  # of the largest singular value: smaller ones are rounding


@torch.no_grad()
def displacements(subject: Subject, result: Result) -> dict:
    """Return the picture of the chosen matrix, or of the first one that changed; words where there is none."""
    before, after = layers.layers(subject.base.model), layers.layers(result.model)
    matrices = [path for path, layer in before.items() if isinstance(layer, Linear)]
    where = result.choice.where
    for path in [where] if where in matrices else matrices if where is None else []:
        was, now = (found[path].weight().detach().float().cpu() for found in (before, after))
        if was.shape == now.shape and min(was.shape) > 1 and (where or not torch.equal(was, now)):
            if bool(torch.isfinite(was).all() and torch.isfinite(now).all()):
                return picture(draw(was, now, path))
            return picture(None, TITLE, f"{path} holds NaN or infinite numbers, which have no displacement.")
    place = where or "this network"
    return picture(None, TITLE, f"No matrix of {place} differs from the original, so there is nothing to compare.")


def draw(was: Tensor, now: Tensor, name: str) -> Picture:
    """Put the displacement of a matrix `now` (out, in) below what it `was`, with the rank of both."""
    both = [inner_displacement(matrix) for matrix in (was, now)]
    ranks = [rank(one) for one in both]
    title = f"{name}: the displacement had rank {ranks[0]}, now {ranks[1]}"
    said = "W[i, j] - W[i + 1, j + 1]: 0 everywhere for a Toeplitz matrix"
    return draw_pair(*(one.numpy() for one in both), title, said)


def rank(matrix: Tensor) -> int:
    """Count the singular values that are more than rounding.

    >>> rank(torch.ones(3, 4)), rank(torch.zeros(3, 4))
    (1, 0)
    """
    found = np.linalg.svd(matrix.numpy(), compute_uv=False)
    return int((found > TOLERANCE * found.max()).sum()) if found.max() > 0 else 0
