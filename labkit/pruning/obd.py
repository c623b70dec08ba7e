"""Optimal Brain Damage: not the smallest weights become zero, but those that the loss needs least.

    saliency_i = h_i w_i^2 / 2

is what the mean loss rises by, in nats, where w_i alone becomes zero: near a minimum the gradient is about
zero, and of the curvature the diagonal h is kept (LeCun 1990). `curvature.diagonal` estimates h, the one of
the Gauss-Newton matrix. A nat is a nat in every layer, so one threshold serves the whole network. What the
sum over single weights cannot see is that the errors of many weights add up: the paper prunes a few, trains
again and repeats.
"""

from __future__ import annotations

import functools

import numpy as np
from torch import Tensor, nn

from labkit.curvature import diagonal
from labkit.data import Data
from labkit.methods import Picture, numbers
from labkit.pruning.ranked import Ranked, RankedFit, share_of_zeros
from labkit.weights import Weight

SPAN = 12  # powers of ten below the largest saliency that the picture shows


class SaliencyFit(RankedFit):
    """One weight whose scores are the nats that cutting each of its numbers costs."""

    @functools.cached_property
    def powers(self) -> np.ndarray:
        """The saliencies as powers of ten; what is far below the largest is drawn at the left end."""
        largest = float(self.scores.max()) or 1.0
        return self.scores.clamp_min(largest / 10**SPAN).log10().numpy()

    @functools.cached_property
    def histogram(self) -> tuple[np.ndarray, np.ndarray]:
        """All saliencies in 100 bins of equal factors, the same for every sparsity."""
        return np.histogram(self.powers, bins=100)

    def picture(self, sparsity: float, name: str) -> Picture:
        """The histogram of the saliencies with the threshold."""
        kept = self.kept(sparsity)
        counts, edges = self.histogram
        title = share_of_zeros(name, kept)
        cost = float(self.scores[~kept].sum())
        threshold = self.powers[~kept.numpy()].max(initial=edges[0])
        what = f"those up to 10 to the power {threshold:.2f} are cut, which add up to {cost:.3g} nats"
        return Picture(
            kind="histogram",
            title=title,
            x=f"saliency of a weight of {name}, as a power of ten, in nats",
            y="how many weights",
            values=counts,
            edges=edges,
            marks=np.array([threshold]),
            text=f"Histogram of the saliencies of {name}; {'none is cut' if kept.all() else what}. {title}.",
        )


class OptimalBrainDamage(Ranked):
    """Cut the weights that the loss needs least, by its curvature (LeCun 1990).

    `images` says from how many pictures the curvature is estimated, `seed` which. `prepare` raises ValueError
    without data.

    >>> from labkit import data, zoo
    >>> model = zoo.load("LeNet-300-100", "MNIST")
    >>> small = OptimalBrainDamage(images=100).prepare(model, data.load("MNIST")).at(0.9)
    >>> sum(len(layer.weight.positions) for layer in (small.fc1, small.fc2, small.fc3))
    26620
    """

    title = "Optimal Brain Damage"
    idea = "A weight may go if the loss hardly bends along it: what counts is its square times the curvature."
    equation = r"s_i = \tfrac{1}{2} h_{ii} w_i^2, \quad h_{ii} = \frac{\partial^2 L}{\partial w_i^2}"
    stores = "the surviving weights, and the gaps between their positions"
    drawback = "It takes each weight by itself. What one cut does to the need for another, it does not know."
    paper = "lecun1990"
    fit = SaliencyFit

    def __init__(self, images: int = 1000, seed: int = 0):
        self.images, self.seed = images, seed

    def scores(self, leaves: dict[str, Weight], model: nn.Module, data: Data | None) -> dict[str, Tensor]:
        """Return h w^2 / 2."""
        if data is None:
            raise ValueError("Optimal Brain Damage needs pictures for the curvature: call prepare(model, data)")
        h = diagonal(model, data, self.images, seed=self.seed) if leaves else {}
        return {path: h[path] * numbers(leaf).square() / 2 for path, leaf in leaves.items()}
