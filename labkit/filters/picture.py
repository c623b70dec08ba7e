"""The picture of transferred filters: each stored one at the left of its copies, as they are used."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.methods import Picture
from labkit.replacing import ReplacingFit, stored
from labkit.weights import Transferred, Weight

ORBITS = 12  # that are shown


@torch.no_grad()
def orbit_picture(name: str, weight: Weight | None, fit: ReplacingFit) -> Picture:
    """Show the orbits of the first filters of a layer, each as a strip of its copies on their first input."""
    out = fit.values.shape[0]
    if not isinstance(weight, Transferred):
        text = f"{name} keeps its {out} filters, each stored for itself: shared, they would take no fewer numbers."
        return _picture(name, fit.values[:ORBITS, :1], f"{out} filters, each stored for itself", text)
    shown = weight.orbit(weight.filters())[:ORBITS, :, 0].cpu()
    what = f"{stored(weight):,} numbers for {fit.values.numel():,}"
    text = (
        f"{name} stores {weight.filters.shape[0]} filters, each used in {weight.copies} copies, which stand beside "
        f"each other: {what}, {fit.kept(weight)}. Shown are the first {len(shown)}, as they read their first input."
    )
    return _picture(name, shown, f"{what}, {weight.copies} filters for each stored one", text)


def _picture(name: str, orbits: Tensor, what: str, text: str) -> Picture:
    """Draw orbits (n, copies, height, width) as strips, with an empty column between copies and two between orbits."""
    strips = torch.cat(list(F.pad(orbits, (0, 1, 0, 1)).unbind(1)), 2)
    values = strips.numpy().astype(np.float32)
    return Picture(kind="filters", title=f"{name}: {what}", x=f"filters of {name}", y="", values=values, text=text)
