"""A k-means codebook: every weight becomes the nearest of 2^b shared values.

    minimise  sum_i (w_i - c_{a(i)})^2  over the k = 2^b centroids c and the assignment a.

How the clusters are found is said in `labkit.clusters`. Networks: Gong 2014, Han 2016.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
import torch

from labkit.clusters import Ordered, check_start
from labkit.methods import Knob, LeafMethod, Picture, numbers
from labkit.train import Recipe
from labkit.weights import Codebook, Weight


@dataclass
class KMeansFit:
    """One weight, sorted once for every number of bits."""

    shape: torch.Size
    row: Ordered
    start: str = "companding"
    found: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)  # clusters by bits

    def clusters(self, bits: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the centroids in use (at most 2^bits) and how many weights belong to each."""
        if bits not in self.found:
            self.found[bits] = self.row.clusters(2**bits, self.start)
        return self.found[bits]

    def at(self, bits: int) -> Weight:
        """Return the codebook of 2^bits values."""
        centroids, sizes = self.clusters(bits)
        return Codebook(torch.from_numpy(self.row.codes(sizes)).view(self.shape), torch.from_numpy(centroids))

    @functools.cached_property
    def histogram(self) -> tuple[np.ndarray, np.ndarray]:
        """The weights in 100 bins, the same for every number of bits."""
        return np.histogram(self.row.values, bins=100)

    def picture(self, bits: int, name: str) -> Picture:
        """The histogram of the weights with the centroids on its axis."""
        centroids, _ = self.clusters(bits)
        counts, edges = self.histogram
        return Picture(
            kind="histogram",
            title=f"{name}: its weights and their {len(centroids)} shared values",
            x=f"weight of {name}",
            y="how many weights",
            values=counts,
            edges=edges,
            marks=centroids,
            text=f"Histogram of the weights of {name}, with {len(centroids)} shared values "
            f"from {centroids[0]:.3g} to {centroids[-1]:.3g} marked on its axis.",
        )


class KMeans(LeafMethod):
    """Cluster the weights of each layer, and store for each weight only the number of its cluster.

    `start` says where the centroids begin: "companding", "linear" or "density" (see `labkit.clusters`).
    Training the result moves the centroids, each by the sum of its weights' gradients (Han 2016).
    Raises ValueError for another start.

    >>> KMeans(start="middle")
    Traceback (most recent call last):
    ValueError: start is 'middle', but must be one of companding, linear, density
    """

    title = "k-means codebook"
    idea = "Each weight becomes the nearest of 2^b shared values, and only the number of that value is stored."
    equation = r"\min_{c, a} \sum_i (w_i - c_{a(i)})^2, \quad k = 2^b"
    stores = "b bits for each weight, or fewer after Huffman coding, and k values for each layer"
    drawback = "It looks at the weights alone: that some matter more to the loss than others, it does not know."
    paper = "gong2014"
    knob = Knob("bits", "bits per weight", (1, 2, 3, 4, 5, 6, 7, 8), 8)
    recipe = Recipe(epochs=1, learning_rate=0.005)  # at 0.02 LeNet-5 diverges with 2 and 3 bits

    def __init__(self, start: str = "companding"):
        self.start = check_start(start)
        if start != "companding":
            self.title = f"{self.title}, {start} start"

    def fit(self, leaf: Weight) -> KMeansFit:
        return KMeansFit(leaf.shape, Ordered.of(numbers(leaf).cpu().flatten().numpy()), self.start)
