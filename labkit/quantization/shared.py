"""One codebook for all layers: the weights of the whole network in one row, and the curve that shares them.

A codebook costs its values once, not once a layer, and a layer takes from it what it needs. Where
weights of different layers meet in one cluster, it matters which of them the loss depends on more:
so each weight has its curvature h beside it (Choi 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from labkit import curvature, layers
from labkit.data import Data
from labkit.methods import Curve, Knob, Method, Picture, numbers, sound_leaves
from labkit.weights import Codebook, Dense


@dataclass(frozen=True)
class Pool:
    """The numbers of several leaves in one row: values (n,), and how much each counts, h (n,) > 0."""

    shapes: dict[str, torch.Size]
    values: np.ndarray
    h: np.ndarray

    def split(self, row: np.ndarray) -> dict[str, np.ndarray]:
        """Cut a row (n,) into the parts of the leaves, each in its shape."""
        ends = np.cumsum([shape.numel() for shape in self.shapes.values()])[:-1]
        parts = zip(self.shapes.items(), np.split(row, ends), strict=True)
        return {path: part.reshape(tuple(shape)) for (path, shape), part in parts}


@dataclass(frozen=True)
class Clusters:
    """A codebook found: centroids (k,) ascending, all in use, and runs of equal codes in a sorted order."""

    centroids: np.ndarray
    order: np.ndarray  # (n,): where in the pool each weight of the sorted row stands
    symbols: np.ndarray  # (runs,)
    sizes: np.ndarray  # (runs,)

    def codes(self) -> np.ndarray:
        """Return the code of each weight in the pool, (n,)."""
        codes = np.empty(len(self.order), np.int32)
        codes[self.order] = np.repeat(self.symbols.astype(np.int32), self.sizes)
        return codes


class SharedCurve(Curve):
    """A curve on which all leaves share one codebook: a subclass says how to `find` it."""

    def __init__(self, method: Method, model: nn.Module, knob: Knob, pool: Pool):
        super().__init__(method, model, knob)
        self.pool = pool
        self._found: dict[float, Clusters] = {}
        self._histograms: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def find(self, value: float) -> Clusters:
        """Find the codebook for one value of the knob."""
        raise NotImplementedError

    def clusters(self, value: float) -> Clusters:
        """Return the codebook for one value of the knob, found once."""
        if value not in self._found:
            self._found[value] = self.find(self.knob.check(value))
        return self._found[value]

    def at(self, value: float) -> nn.Module:
        """Return the network in which every leaf is a Codebook, all with the same centroids."""
        self.knob.check(value)
        found = self.clusters(value)
        centroids = Dense(torch.from_numpy(found.centroids.astype(np.float32)))
        codes = self.pool.split(found.codes())
        return layers.replace(
            self.model, {path: Codebook(torch.from_numpy(part), centroids) for path, part in codes.items()}
        )

    def error(self, value: float) -> float:
        """Return the weighted error that the method makes small, sum_i h_i (w_i - c_{a(i)})^2."""
        found = self.clusters(value)
        return float(self.pool.h @ (self.pool.values - found.centroids[found.codes()]) ** 2)

    def picture(self, value: float, layer: str) -> Picture:
        """The histogram of a layer's weights with those shared values on its axis that it uses."""
        path = next((path for path in self.pool.shapes if f"{path}.".startswith(f"{layer}.weight.")), None)
        if path is None:
            raise ValueError(f"layer {layer!r} was left alone: it is not among {', '.join(self.pool.shapes)}")
        found = self.clusters(value)
        marks = found.centroids[np.unique(self.pool.split(found.codes())[path])]
        if path not in self._histograms:
            self._histograms[path] = np.histogram(self.pool.split(self.pool.values)[path], bins=100)
        counts, edges = self._histograms[path]
        shared = f"{len(marks)} of the {len(found.centroids)} values that all layers share"
        return Picture(
            kind="histogram",
            title=f"{layer}: its weights and {shared}",
            x=f"weight of {layer}",
            y="how many weights",
            values=counts,
            edges=edges,
            marks=marks,
            text=f"Histogram of the weights of {layer}. It uses {shared}, "
            f"from {marks[0]:.3g} to {marks[-1]:.3g}, marked on its axis.",
        )


class SharedCodebook(Method):
    """A method with one codebook for all layers, weighted by the curvature of the loss or (False) not."""

    curve: ClassVar[type[SharedCurve]]

    def __init__(self, weighted: bool = True):
        self.weighted = weighted

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> SharedCurve:
        """Measure the curvature on training pictures, and sort the weights.

        Raises ValueError without data where it is weighted, and where there is no weight left.
        """
        leaves = sound_leaves(model, where)
        if not leaves:
            raise ValueError("pruning left no weight here, and nothing can be compressed: choose another layer")
        values = np.concatenate([numbers(leaf).cpu().double().flatten().numpy() for leaf in leaves.values()])
        h = self._curvature(model, data, where) if self.weighted else np.ones_like(values)
        shapes = {path: leaf.shape for path, leaf in leaves.items()}
        return self.curve(self, model, self.knob, Pool(shapes, values, h))

    def _curvature(self, model: nn.Module, data: Data | None, where: str | None) -> np.ndarray:
        """Return h for the pool, (n,), damped: to each its mean over the network is added.

        A weight that no picture of the sample used would seem free, and a cluster of such weights has
        no mean. And the diagonal leaves out that errors of many weights add up, so weights that it
        calls cheap are not as cheap as it says. At a code length of 2 bits, damping by the mean takes
        away about half of what the loss rises by, for a weighted error that is hardly larger.
        """
        if data is None:
            raise ValueError(
                f"{type(self).__name__} measures the curvature on pictures: give it data, as in prepare(model, data)"
            )
        found = curvature.diagonal(model, data, where=where)
        h = np.concatenate([part.cpu().double().flatten().numpy() for part in found.values()])
        return h + (h.mean() or 1.0)
