"""Quantized activations: what each layer reads is rounded to a grid, after a look at some pictures.

    x^ = s (clamp(round(x / s) + z, 0, top) - z),   top = 2^b - 1, or 2^b - 2 for a symmetric grid.

Weights are known, activations depend on the picture. So some training pictures are run through the network, the
numbers that arrive at each layer are counted, and a grid is laid over the range in which they were (Jacob 2018).
The weights stay as they are: this and a method for weights go together, in either order.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from labkit import layers
from labkit.data import Data
from labkit.grid import Grid
from labkit.methods import Curve, Knob, Method, Picture, sound_leaves
from labkit.quantization.calibration import BINS, CALIBRATIONS, Histogram, checked, scale_and_zero

PICTURES = 500
BATCH = 100
BARS = 128  # of a picture: each is a whole number of the histogram's bins


def observe(model: nn.Module, data: Data, paths: list[str]) -> dict[str, Histogram]:
    """Count what arrives at some layers for the first 500 training pictures: a histogram of one row for each.

    The pictures run through a copy of the network twice: the first run finds the smallest and the largest
    number, between which the second counts. A layer that nothing reaches is left out. Raises ValueError
    where a number is NaN or infinite.

    >>> from labkit import data, zoo
    >>> found = observe(zoo.load("LeNet-300-100", "MNIST"), data.load("MNIST"), ["fc1", "fc2"])
    >>> round(found["fc1"].low.item(), 3), found["fc2"].low.item()  # a picture's background; after a ReLU
    (-0.424, 0.0)
    """
    ends: dict[str, list[Tensor]] = {}
    _run(model, data, paths, lambda path, x: ends.setdefault(path, []).extend(x.aminmax()))
    found = {}
    for path, seen in ends.items():
        low, high = torch.stack(seen).aminmax()
        if not bool(torch.isfinite(high - low)):
            raise ValueError(f"{path} reads NaN or infinite numbers: train the model again, or load it again")
        found[path] = Histogram(low[None], high[None])
    _run(model, data, paths, lambda path, x: found[path].add(x.reshape(1, -1)))
    return found


@torch.inference_mode()
def _run(model: nn.Module, data: Data, paths: list[str], see: Callable[[str, Tensor], None]) -> None:
    """Call `see(path, input)` for what arrives at some layers, without their grids, batch by batch."""
    model = copy.deepcopy(model).eval()  # hooks on the network itself would disturb who runs it meanwhile
    for path in paths:
        layer = model.get_submodule(path)
        layer.grid = None
        layer.register_forward_pre_hook(lambda _, inputs, path=path: see(path, inputs[0].cpu()))
    device = next((tensor.device for tensor in model.state_dict().values()), torch.device("cpu"))
    for images in data.train.images[:PICTURES].split(BATCH):
        model(data.normalise(images.to(device)).contiguous(memory_format=torch.channels_last))


class ActivationsCurve(Curve):
    """The curve of quantized activations: from one histogram of a layer's input, a grid for every number of bits."""

    def __init__(self, method: Activations, model: nn.Module, histograms: dict[str, Histogram]):
        super().__init__(method, model, method.knob)
        self.histograms = histograms
        self.grids = {bits: {path: self._grid(path, bits) for path in histograms} for bits in method.knob.values}

    def _grid(self, path: str, bits: int) -> Grid:
        symmetric, histogram = self.method.symmetric, self.histograms[path]
        low, high = CALIBRATIONS[self.method.calibration](histogram, bits, symmetric)
        scale, zero = scale_and_zero(low, high, bits, symmetric)
        return Grid(bits, scale.item(), zero.item(), symmetric)

    def at(self, bits: int) -> nn.Module:
        """Return a copy of the model in which layers round what they read."""
        self.knob.check(bits)
        model = copy.deepcopy(self.model)
        for path, grid in self.grids[bits].items():
            model.get_submodule(path).grid = copy.deepcopy(grid)
        return model

    def picture(self, bits: int, layer: str) -> Picture:
        """The histogram of what the layer reads with the points of its grid on the axis."""
        if layer not in self.histograms:
            raise ValueError(f"layer {layer!r} was left alone: it is not among {', '.join(self.histograms)}")
        histogram, points = self.histograms[layer], self.grids[self.knob.check(bits)][layer].points().numpy()
        bars = slice(None, None, BINS // BARS)
        return Picture(
            kind="histogram",
            title=f"{layer}: what it reads and the {len(points)} points of its grid",
            x=f"input of {layer}",
            y="how many numbers",
            values=np.diff(histogram.counts[0, bars].numpy()),
            edges=histogram.edges[0, bars].numpy(),
            marks=points,
            text=f"Histogram of the numbers that {layer} reads, from {histogram.low.item():.3g} to "
            f"{histogram.high.item():.3g}, with {len(points)} points from {points[0]:.3g} to {points[-1]:.3g} "
            "marked on its axis.",
        )


class Activations(Method):
    """Round what each layer reads to a grid of equal steps, one grid for a layer.

    `symmetric`: as many points below 0 as above, else from the smallest number to the largest. `calibration` is
    one of `calibration.CALIBRATIONS`: "min_max", "percentile" (the middle 99.9 %) or "mse".
    """

    title = "Quantized activations"
    idea = "Each number that a layer reads becomes one of 2^b, on a grid that was laid after a look at some pictures."
    equation = r"\hat x = s\,(\mathrm{clamp}(\mathrm{round}(x / s) + z,\ 0,\ t) - z), \quad t < 2^b"
    stores = "a step and a zero for what each layer reads, beside the weights as they were"
    drawback = (
        "The integers are simulated: nothing is faster here and the file does not shrink. What would shrink is the "
        "traffic between layers, on a processor that moves and multiplies integers."
    )
    paper = "jacob2018"
    knob = Knob("bits", "bits per activation", (2, 3, 4, 5, 6, 7, 8), 8)

    def __init__(self, symmetric: bool = False, calibration: str = "mse"):
        self.symmetric, self.calibration = bool(symmetric), checked(calibration)

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> ActivationsCurve:
        if data is None:
            raise ValueError("activations depend on the pictures: give prepare(model, data) the data to look at")
        sound_leaves(model, where)
        histograms = observe(model, data, list(layers.layers(model)) if where is None else [where])
        if not histograms:
            raise ValueError("no picture reaches the layer: give data with training pictures, or choose another layer")
        return ActivationsCurve(self, model, histograms)
