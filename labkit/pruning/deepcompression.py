"""Deep Compression: prune, let the survivors share few values, and Huffman-code what is left (Han 2016).

    w^ = 0 where |w| <= t,  else  c_j, the nearest of the 2^b shared values of its layer

1. Prune by magnitude, and train the survivors (Han 2015).
2. Cluster the survivors of each layer by k-means, and train the centroids: the gradient of a centroid is
   the sum of the gradients of its weights.
3. Huffman-code the codes and the gaps between the positions. The file does that by itself.

The result is a Sparse whose values are a Codebook. How the paper stores it is in `gaps`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from labkit import layers
from labkit.clusters import Ordered, check_start
from labkit.data import Data
from labkit.methods import LeafCurve, Method, Picture
from labkit.pruning.magnitude import SCOPES, Magnitude, MagnitudeFit
from labkit.pruning.ranked import Ranked, share_of_zeros, survivors
from labkit.train import Loss, Progress, Recipe, cross_entropy
from labkit.weights import Codebook, Sparse, Weight

MOST_BITS = 8
SHARING = 0.25  # of the epochs train the centroids, the others the survivors before


def bits_by_layer(bits: int | Mapping[str, int], model: nn.Module, where: str | None = None) -> dict[str, int]:
    """Return the bits of each layer: the same in all, or by the layer's path, or by its kind, "conv" or "fc".

    Raises ValueError for a name that is none of these, a layer that has no bits, and bits not from 1 to 8.

    >>> from labkit import zoo
    >>> bits_by_layer({"conv": 8, "fc": 5, "fc2": 6}, zoo.load("LeNet-5"))
    {'conv1': 8, 'conv2': 8, 'fc1': 5, 'fc2': 6}
    """
    kinds = {path: "conv" if isinstance(layer, layers.Conv2d) else "fc" for path, layer in layers.layers(model).items()}
    named = bits if isinstance(bits, Mapping) else {"conv": bits, "fc": bits}
    for name, count in named.items():
        if name not in kinds and name not in ("conv", "fc"):
            raise ValueError(f"bits name {name!r}, but must name conv, fc or a layer: {', '.join(kinds)}")
        if type(count) is not int or not 1 <= count <= MOST_BITS:
            raise ValueError(f"bits are {count!r}, but must be a whole number from 1 to {MOST_BITS}")
    found = {path: named.get(path, named.get(kind)) for path, kind in kinds.items() if where in (None, path)}
    for path, count in found.items():
        if count is None:
            raise ValueError(f"bits say nothing of {path}: name it, or {kinds[path]} for all of its kind")
    return found


@dataclass
class SharedFit:
    """One weight: how it is pruned, its numbers sorted, and how many values its survivors share."""

    pruned: MagnitudeFit
    row: Ordered
    count: int
    start: str

    def clusters(self, sparsity: float) -> tuple[Ordered, np.ndarray, np.ndarray]:
        """Return the survivors in order, their centroids in use, and how many belong to each."""
        row = self.row.among(self.pruned.kept(sparsity).numpy()) if sparsity else self.row
        if not len(row.values):
            return row, np.empty(0, np.float32), np.empty(0, np.int64)
        return row, *row.clusters(self.count, self.start)

    def at(self, sparsity: float) -> Weight:
        """Prune, and let the survivors share their values; what is dense stays so at sparsity 0."""
        row, centroids, sizes = self.clusters(sparsity)
        codes, centroids = torch.from_numpy(row.codes(sizes)), torch.from_numpy(centroids)
        shape = self.pruned.leaf.shape
        if not sparsity:
            return Codebook(codes.view(shape), centroids)
        positions = torch.nonzero(self.pruned.kept(sparsity)).flatten()
        return Sparse(positions, Codebook(codes, centroids), tuple(shape))

    def picture(self, sparsity: float, name: str) -> Picture:
        """The histogram of the survivors with their shared values on its axis."""
        row, centroids, _ = self.clusters(sparsity)
        _, edges = self.pruned.histogram
        zeros = share_of_zeros(name, self.pruned.kept(sparsity))
        spread = f", from {centroids[0]:.3g} to {centroids[-1]:.3g}" if len(centroids) else ""
        title = f"{zeros}, the others share {len(centroids)} values"
        text = (
            f"Histogram of the {len(row.values)} weights of {name} that stay. {zeros}. "
            f"Marked on its axis are the {len(centroids)} values that the others share{spread}."
        )
        return survivors(name, np.histogram(row.values, bins=edges), centroids, title, text)


class PipelineCurve(LeafCurve):
    """Training in two stages: the pruned network, then its shared values."""

    def __init__(self, *arguments, pruning: LeafCurve, where: str | None):
        super().__init__(*arguments)
        self.pruning, self.where = pruning, where

    def train(
        self,
        value: float,
        data: Data,
        recipe: Recipe | None = None,
        device: str = "cpu",
        loss: Loss = cross_entropy,
    ) -> Iterator[tuple[Progress, nn.Module]]:
        """Prune, train the survivors, cluster them, train the centroids: all in the epochs of one recipe.

        Yields progress over both stages, and the network as it stands: until the second stage begins its
        survivors are single numbers. A quarter of the epochs, at least one, goes to the centroids, at half
        the learning rate and without weight decay; so of a single epoch nothing is left for the first stage.
        """
        recipe = recipe or self.method.recipe
        sharing = max(1, round(SHARING * recipe.epochs))
        model, done = self.pruning.at(value), recipe.epochs - sharing
        if done:
            for progress, model in self.pruning.train(value, data, replace(recipe, epochs=done), device, loss):
                yield _of_all(progress, done, 0, recipe.epochs), model
        second = self.method.prepare(model, data, self.where)  # of what survived nothing more is pruned
        last = replace(recipe, epochs=sharing, learning_rate=recipe.learning_rate / 2, weight_decay=0)
        for progress, model in LeafCurve.train(second, 0, data, last, device, loss):
            yield _of_all(progress, sharing, done, recipe.epochs), model


def _of_all(progress: Progress, epochs: int, before: int, of: int) -> Progress:
    """Count the steps of a stage of so many epochs as a part of the whole run."""
    steps = progress.steps // epochs
    return replace(progress, step=progress.step + before * steps, steps=of * steps, epoch=progress.epoch + before)


class DeepCompression(Method):
    """Prune the smallest weights, let the others share 2^bits values in each layer, and train after each step.

    `bits` is a number, or maps the paths of layers, or "conv" and "fc", to numbers (the paper has 6 in
    LeNet-300-100, and 8 and 5 in LeNet-5). `scope` says which weights share a threshold (see `Magnitude`),
    `start` where the centroids begin (see `labkit.clusters`). Raises ValueError for what these do not know;
    what bits say of layers is checked in `prepare` (Han 2016).

    >>> from labkit import zoo
    >>> DeepCompression(bits=2).prepare(zoo.load("LeNet-300-100")).at(0.9).fc1.weight
    Sparse(
      300 x 784
      (values): Codebook(
        19044
        (centroids): Dense(4)
      )
    )
    """

    title = "Deep Compression"
    idea = (
        "The smallest weights become zero, and the others share few values in each layer. Training follows each step."
    )
    equation = r"\hat w = [\,|w| > t\,] \cdot c_{a(w)}, \quad \min_{c, a} \sum_{|w_i| > t} (w_i - c_{a(i)})^2"
    stores = (
        "the gaps between the survivors' positions and a code for each survivor, both Huffman-coded, and a codebook"
    )
    drawback = "Every layer has a sparsity and bits to be found, and each step has to be trained."
    paper = "han2016"
    knob = Ranked.knob
    recipe = Recipe(epochs=4, learning_rate=0.02, weight_decay=1e-4)

    def __init__(self, bits: int | Mapping[str, int] = 5, scope: str = "network", start: str = "linear"):
        self.bits, self.start, self.pruning = bits, check_start(start), Magnitude(scope)
        said = [] if bits == 5 else [f"{bits} bits" if isinstance(bits, int) else "bits by layer"]
        self.title = ", ".join(filter(None, [self.title, *said, SCOPES[scope]]))

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> PipelineCurve:
        pruning = self.pruning.prepare(model, data, where)
        bits = {
            leaf: count
            for layer, count in bits_by_layer(self.bits, model, where).items()
            for leaf, _ in layers.leaves(model, layer)
        }
        fits = {
            path: SharedFit(fit, Ordered.of(fit.values.numpy()), 2 ** bits[path], self.start)
            for path, fit in pruning.fits.items()
        }
        return PipelineCurve(self, model, self.knob, fits, pruning=pruning, where=where)
