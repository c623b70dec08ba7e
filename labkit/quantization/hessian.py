"""A k-means codebook that knows the loss: weights count by their curvature, and all layers share one codebook.

    minimise  sum_i h_i (w_i - c_{a(i)})^2  over k = 2^b centroids c and the assignment a

Half of that sum is what the loss rises by (see `curvature`), from about 4 bits up; with fewer, errors
of many weights add up, and a sum over single weights cannot see it. Setting its derivative to zero gives
c_j = sum h_i w_i / sum h_i over cluster j. The assignment is still the nearest centroid: whichever
h_i > 0 a weight has, h_i (w_i - c)^2 is smallest where (w_i - c)^2 is. So clusters are intervals of the
sorted weights, and with prefix sums of h and h w an iteration is as quick as without (Choi 2017).
"""

from __future__ import annotations

import numpy as np

from labkit.clusters import lloyd, place, prefix_sums
from labkit.methods import Knob
from labkit.quantization.shared import Clusters, SharedCodebook, SharedCurve

ITERATIONS = 100  # a few centroids for a whole network move a long way


class HessianCurve(SharedCurve):
    """All weights of a network, sorted once for every number of bits."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.order = np.argsort(self.pool.values, kind="stable")
        self.ordered, h = self.pool.values[self.order], self.pool.h[self.order]
        self.masses, self.sums = prefix_sums(h), prefix_sums(h * self.ordered)

    def find(self, bits: int) -> Clusters:
        """Find at most 2^bits centroids."""
        start = place("companding", self.ordered, 2**bits, self.masses)
        centroids, ends = lloyd(self.ordered, start, self.sums, self.masses, ITERATIONS)
        sizes = np.diff(ends)
        used = sizes > 0
        return Clusters(centroids[used], self.order, np.arange(used.sum()), sizes[used])


class HessianKMeans(SharedCodebook):
    """Cluster all weights of the network into one codebook, each counting by the curvature of the loss.

    With `weighted=False` each weight counts the same: what the curvature wins is the difference.

    >>> from labkit import zoo
    >>> small = HessianKMeans(weighted=False).prepare(zoo.load("LeNet-300-100")).at(2)
    >>> small.fc1.weight.centroids is small.fc3.weight.centroids
    True
    """

    title = "Hessian-weighted k-means"
    idea = "All layers share 2^b values. Weights on which the loss depends more pull these values towards them."
    equation = r"\min_{c, a} \sum_i h_{ii} (w_i - c_{a(i)})^2, \quad c_j = \frac{\sum h_{ii} w_i}{\sum h_{ii}}"
    stores = "b bits for each weight, or fewer after Huffman coding, and k values once for the whole network"
    drawback = "It takes each weight's error by itself. That many small errors can push one way, it does not know."
    paper = "choi2017"
    knob = Knob("bits", "bits per weight", (1, 2, 3, 4, 5, 6, 7, 8), 8)
    curve = HessianCurve

    def __init__(self, weighted: bool = True):
        super().__init__(weighted)
        if not weighted:
            self.title = "One k-means codebook for all layers"
            self.idea = "All layers share 2^b values, and each weight becomes the nearest of them."
            self.equation = r"\min_{c, a} \sum_i (w_i - c_{a(i)})^2, \quad k = 2^b"
            self.drawback = "Layers with few weights, often those that matter most, hardly count."
