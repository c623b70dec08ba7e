"""What the trained quantizers share: a curve that trains real numbers behind quantized ones, and their picture."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from labkit import layers
from labkit.methods import LeafCurve, Picture
from labkit.weights import Latent


class LatentCurve(LeafCurve):
    """The curve of a method that trains: `at(value)` is the projection of the weights without training.

    Its fits define `latent(value)`, which returns a new Latent each time, in the place of `at`.
    """

    def latents(self, value: float) -> dict[str, Latent]:
        """Return the weights that are quantized at this value, as they start training."""
        return {path: fit.latent(value) for path, fit in self.fits.items()}

    def at(self, value: float) -> nn.Module:
        latents = self.latents(self.knob.check(value))
        return layers.replace(self.model, {path: latent.settle() for path, latent in latents.items()})

    def latent(self, value: float) -> nn.Module:
        return layers.replace(self.model, self.latents(self.knob.check(value)))


def histogram(values: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Count the weights in 100 equal bins; return the counts and the 101 edges."""
    return np.histogram(values.cpu().numpy(), bins=100)


def picture(name: str, bins: tuple[np.ndarray, np.ndarray], marks: Tensor, title: str, text: str) -> Picture:
    """Return the histogram of a layer's weights with its quantized values as marks."""
    counts, edges = bins
    return Picture(
        kind="histogram",
        title=f"{name}: {title}",
        x=f"weight of {name}",
        y="how many weights",
        values=counts,
        edges=edges,
        marks=marks.cpu().numpy(),
        text=f"Histogram of the weights of {name}. {text}",
    )
