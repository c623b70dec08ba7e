"""A codebook made for Huffman's code: the knob is the length of the code, not the number of values.

The mathematics is in `ecsq`. All layers share one codebook, so that one price of a bit holds for the
whole network: layers that the loss hardly depends on get long runs of one code, and the file, which
codes each layer by itself, writes them in little more than the entropy (Choi 2017).
"""

from __future__ import annotations

from labkit.methods import Knob
from labkit.quantization.ecsq import Levels, quantizer
from labkit.quantization.shared import Clusters, SharedCodebook, SharedCurve


class EntropyCurve(SharedCurve):
    """All weights of a network, sorted by level of curvature and value once for every code length."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.levels = Levels(self.pool.values, self.pool.h)

    def find(self, bits: float) -> Clusters:
        """Find the codebook whose codes have an entropy of so many bits for each weight."""
        found = quantizer(self.levels, bits)
        return Clusters(found.centroids, self.levels.order, found.runs.symbols, found.runs.sizes)


class EntropyConstrained(SharedCodebook):
    """Quantize all weights so that their Huffman code is short: each pays for its error and for its bits.

    The knob is the entropy of the codes over the whole network, in bits for each weight. A Huffman
    code comes close above it, but gives no weight less than 1 bit. With `weighted=False` each weight
    counts the same.

    >>> from labkit import zoo
    >>> small = EntropyConstrained(weighted=False).prepare(zoo.load("LeNet-300-100")).at(2)
    >>> small.fc1.weight.centroids is small.fc3.weight.centroids
    True
    """

    title = "Entropy-constrained codebook"
    idea = "A weight may take a value farther away if its code is shorter, and if the loss depends on it little."
    equation = r"\min_{c, a} \sum_i h_{ii} (w_i - c_{a(i)})^2 + \lambda \sum_i -\log_2 p_{a(i)}"
    stores = "a Huffman codeword for each weight, and its values once for the whole network"
    drawback = "Codewords of different lengths must be decoded one after the other, before a network can run."
    paper = "choi2017"
    knob = Knob("bits", "code length: bits per weight on average", (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6), 6)
    curve = EntropyCurve
