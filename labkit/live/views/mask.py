"""The mask: where the weights of a layer are zero, drawn as the share that is left, whatever the method."""

from __future__ import annotations

import math

import numpy as np
import torch

from labkit import layers
from labkit.live.result import Result
from labkit.live.views.picture import PIXELS, blocks, picture
from labkit.methods import Picture

NAME = "mask"
TITLE = "Which weights are left"


def mask(result: Result, image_shape: tuple[int, int, int]) -> dict:
    """Return the picture of the chosen layer's mask, or of the largest layer with zeros; words where there are none."""
    found = layers.layers(result.model)
    chosen = result.choice.where
    by_size = sorted(found, key=lambda path: -found[path].weight.shape.numel())
    for path in [chosen] if chosen in found else by_size:
        kept = _kept(found[path])
        if not kept.all():
            pixels = image_shape if path == next(iter(found)) and kept.shape[1:] == (math.prod(image_shape),) else None
            return picture(draw(kept, path, pixels))
    place = chosen or "this network"
    return picture(None, TITLE, f"No weight of {place} is zero, so there is no mask to draw.")


@torch.no_grad()
def _kept(layer: layers.Layer) -> np.ndarray:
    return (layer.weight() != 0).cpu().numpy()


def draw(kept: np.ndarray, name: str, pixels: tuple[int, int, int] | None = None) -> Picture:
    """Draw which weights of a layer (out, in, ...) are `kept`, as shares of at most so many cells as a view has.

    A layer of units that read a picture of `pixels` (channels, height, width) shows how many of the units
    still look at each pixel. A small convolution shows each kernel, a large one the share left of each.
    """
    left = int(kept.sum())
    title = f"{name}: {left:,} of {kept.size:,} weights are left ({100 * left / kept.size:.1f} %)"
    if pixels:
        seen = kept.sum(0).reshape(pixels).sum(0)
        most = int(seen.max())
        values, axes = blocks(seen / (len(kept) * pixels[0])), ("column of the picture", "row of the picture")
        said = f"Each pixel shows which share of the {len(kept)} units still looks at it: at most {most:,} of them, "
        said += f"and none at {int((seen == 0).sum())} of {seen.size} pixels."
    elif kept.ndim == 4 and kept.size <= PIXELS and kept[0, 0].size > 1:
        values, axes = kept.reshape(-1, *kept.shape[2:]).astype(float), ("each tile is one kernel", "")
        said = "Each tile is one kernel, in which a filled cell is a weight that is left."
    elif kept.ndim == 4:
        values, axes = blocks(kept.mean((2, 3))), ("input channel", "filter")
        said = "Each cell shows the share that is left of a filter's kernel for one input channel, averaged in blocks."
    else:
        values, axes = blocks(kept.astype(float)), ("input", "output")
        said = "Each cell shows the share of weights that is left in a block of the matrix."
    return Picture("mask", title, *axes, values, f"{title}. {said}")
