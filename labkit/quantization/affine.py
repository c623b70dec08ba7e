"""Uniform quantization: every weight is rounded to a grid of equal steps, and only the number of its step is kept.

    q = clamp(round(w / s) + z, 0, top),   w^ = s (q - z),   top = 2^b - 1, or 2^b - 2 for a symmetric grid.

The step s covers a range that is chosen in `calibration`, z is the code of 0. Multiplying whole numbers is
what integer arithmetic is fast at (Vanhoucke 2011). Channels differ in width, so each may have a step of its own
for the price of one number (Krishnamoorthi 2018).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labkit.grid import highest, steps
from labkit.methods import Knob, LeafMethod, Picture, numbers
from labkit.quantization.calibration import CALIBRATIONS, Histogram, checked, scale_and_zero
from labkit.weights import Affine, Weight

SHORT = 8  # a row of fewer numbers does not get a step of its own: that would cost more than 4 bits for each


@dataclass
class UniformFit:
    """One weight, with the step and the zero of each of its rows (rows,) for every number of bits."""

    shape: torch.Size
    rows: Tensor
    grids: dict[int, tuple[Tensor, Tensor]]
    symmetric: bool

    def at(self, bits: int) -> Weight:
        """Return the weight on the grid of so many bits."""
        scale, zero = self.grids[bits]
        codes = steps(self.rows, scale[:, None], zero[:, None], highest(bits, self.symmetric)).int() + zero[:, None]
        return Affine(codes.view(self.shape), scale, zero.clone())

    @functools.cached_property
    def histogram(self) -> tuple[np.ndarray, np.ndarray]:
        """The weights in 100 bins, the same for every number of bits."""
        return np.histogram(self.rows.numpy(), bins=100)

    def picture(self, bits: int, name: str) -> Picture:
        """The histogram of the weights with the points of the grid, or of the first of many, on its axis."""
        scale, zero = self.grids[bits]
        points = scale[0] * (torch.arange(highest(bits, self.symmetric) + 1) - zero[0])
        counts, edges = self.histogram
        whose = "its grid" if len(scale) == 1 else f"its first channel's grid, one of {len(scale)}"
        return Picture(
            kind="histogram",
            title=f"{name}: its weights and the {len(points)} points of {whose}",
            x=f"weight of {name}",
            y="how many weights",
            values=counts,
            edges=edges,
            marks=points.numpy(),
            text=f"Histogram of the weights of {name}, with the {len(points)} points of {whose}, marked on its axis: "
            f"from {points[0]:.3g} to {points[-1]:.3g}, {scale[0]:.3g} apart.",
        )


class Uniform(LeafMethod):
    """Round the weights of each layer to a grid of equal steps, one for the layer or one for each of its channels.

    `symmetric`: as many points below 0 as above, else from the smallest weight to the largest. `calibration` is
    one of `calibration.CALIBRATIONS`: "min_max", "percentile" or "mse".
    """

    title = "Uniform quantization"
    idea = "Each weight becomes a whole number of equal steps, as integer arithmetic needs it."
    equation = r"\hat w = s\,(q - z), \quad q = \mathrm{clamp}(\mathrm{round}(w / s) + z,\ 0,\ t), \quad t < 2^b"
    stores = "b bits for each weight, or fewer after Huffman coding, and a step for each channel"
    drawback = "Equal steps: most weights are near 0 and share few points, while a few large ones stretch the grid."
    paper = "vanhoucke2011"
    knob = Knob("bits", "bits per weight", (2, 3, 4, 5, 6, 7, 8), 8)

    def __init__(self, symmetric: bool = True, per_channel: bool = True, calibration: str = "mse"):
        self.symmetric, self.per_channel = bool(symmetric), per_channel
        self.calibration = checked(calibration)
        unusual = {"asymmetric": not symmetric, "one scale a layer": not per_channel, calibration: calibration != "mse"}
        self.title = ", ".join([self.title, *(word for word, is_so in unusual.items() if is_so)])

    def fit(self, leaf: Weight) -> UniformFit:
        values = numbers(leaf).cpu()
        rows = values.reshape(len(values) if self.per_channel and values[0].numel() >= SHORT else 1, -1)
        histogram = Histogram.of(rows)
        grids = {}
        for bits in self.knob.values:
            ends = CALIBRATIONS[self.calibration](histogram, bits, self.symmetric)
            grids[bits] = scale_and_zero(*ends, bits, self.symmetric)
        return UniformFit(leaf.shape, rows, grids, self.symmetric)
