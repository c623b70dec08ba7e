"""Magnitude pruning: the smallest weights become zero, and only the others are stored.

    keep w  where  |w| > t,  t such that a share s of the weights (the sparsity) falls to 0.

The threshold t is one for the whole network, one for each layer with the same sparsity in each, or q times
the standard deviation of the layer's weights with one q for the network: then layers whose weights are
small by nature do not die first. Han 2015 retrains afterwards, which wins most of the loss back.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from labkit.data import Data
from labkit.methods import Picture, numbers
from labkit.pruning.ranked import Ranked, RankedFit, largest, share_of_zeros
from labkit.weights import Weight

SCOPES = {"network": "", "layer": "same share in each layer", "deviation": "in standard deviations"}
SMALLEST = 1e-30  # what a layer of equal weights is divided by: such weights are cut last, zeros first


class MagnitudeFit(RankedFit):
    """One weight whose scores are its magnitudes, but for a factor: here a threshold on |w| exists."""

    def picture(self, sparsity: float, name: str) -> Picture:
        """The histogram of the weights with the threshold on both sides of zero."""
        kept = self.kept(sparsity)
        threshold = largest(self.values[~kept])
        counts, edges = self.histogram
        title = share_of_zeros(name, kept)
        return Picture(
            kind="histogram",
            title=title,
            x=f"weight of {name}",
            y="how many weights",
            values=counts,
            edges=edges,
            marks=np.array([-threshold, threshold]),
            text=f"Histogram of the weights of {name}; those between -{threshold:.3g} and {threshold:.3g} "
            f"are cut. {title}.",
        )


class Magnitude(Ranked):
    """Set the smallest weights to zero.

    `scope` says which weights share a threshold: "network" (all), "layer" (each layer has its own, and all the
    same sparsity), or "deviation" (t = q std(layer), one q for all: the same as ranking |w| / std(layer), as in
    Han 2015). Raises ValueError for another scope.

    >>> Magnitude("row")
    Traceback (most recent call last):
    ValueError: scope is 'row', but must be one of network, layer, deviation
    """

    title = "Magnitude pruning"
    idea = "The smallest weights become zero, and a list of positions says which are left."
    equation = r"\hat w = w \cdot [\,|w| > t\,]"
    stores = "the surviving weights, and the gaps between their positions"
    drawback = "Each layer tolerates another sparsity, and somebody has to find out which."
    paper = "han2015"
    fit = MagnitudeFit

    def __init__(self, scope: str = "network"):
        if scope not in SCOPES:
            raise ValueError(f"scope is {scope!r}, but must be one of {', '.join(SCOPES)}")
        self.scope = scope
        if SCOPES[scope]:
            self.title = f"{self.title}, {SCOPES[scope]}"
        if scope == "deviation":
            self.equation = r"\hat w = w \cdot [\,|w| > q \, \sigma_{\mathrm{layer}}\,]"

    def scores(self, leaves: dict[str, Weight], model: nn.Module, data: Data | None) -> dict[str, Tensor]:
        """Return |w|, or |w| / std of the leaf."""
        sizes = {path: numbers(leaf).abs() for path, leaf in leaves.items()}
        if self.scope == "deviation":
            deviations = {path: numbers(leaf).double().std(correction=0) for path, leaf in leaves.items()}
            sizes = {path: size / deviations[path].clamp_min(SMALLEST) for path, size in sizes.items()}
        return sizes
