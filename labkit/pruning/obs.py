"""Optimal Brain Surgeon, layer by layer: the weights that stay make up for those that go.

A row w of a layer that changes by d changes the layer's output by d' H d in the mean square over the training
pictures, H = mean x x' of what the layer reads. Cutting the weight q, and moving the others to where that is
least, costs half of it (Hassibi 1993; layer by layer: Dong 2017):

    L_q = w_q^2 / (2 [H^-1]_qq),   d = -(w_q / [H^-1]_qq) H^-1 e_q.

Neighbouring pixels say nearly the same: each alone is cheap to cut, but not both. So weights are cut in stages,
the values of the knob, and after each the L of those left are computed again from the inverse of what is left of
H. Until half of the weights are gone one look is enough, and saves most of the time. See `surgeon`.

The outputs of two layers have different sizes. So for one threshold over the whole network, each L is divided
by the mean square of its layer's output. For the LeNets on Fashion-MNIST this is far better, before any training,
than the same sparsity in each layer: their small first or last layers have little to spare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from labkit.activations import gram
from labkit.data import Data
from labkit.methods import LeafCurve, Method, Picture, numbers, sound_leaves
from labkit.pruning.ranked import Ranked, largest, share_of_zeros, survivors
from labkit.pruning.surgeon import Operation
from labkit.weights import LowRank, Sparse, Weight

PICTURES = 1000
FIRST = 0.5  # the sparsity up to which the first look holds
Found = dict[float, tuple[Tensor, Tensor]]  # by sparsity: the positions that stay, and their new values


@dataclass
class SurgeonFit:
    """One weight, and what became of it at each sparsity."""

    values: Tensor
    shape: tuple[int, ...]
    found: Found

    def at(self, sparsity: float) -> Weight | None:
        """Return the weights that stay, moved to make up for the others; None at sparsity 0."""
        return Sparse(*self.found[sparsity], self.shape) if sparsity else None

    def picture(self, sparsity: float, name: str) -> Picture:
        """The histogram of the weights that stay, where they have moved; marked is the largest that is cut."""
        positions, moved = self.found[sparsity]
        kept = torch.zeros(len(self.values), dtype=torch.bool).index_fill(0, positions, True)
        cut, step = largest(self.values[~kept]), moved - self.values[kept]
        title = share_of_zeros(name, kept)
        text = (
            f"Histogram of the {len(moved)} of {len(kept)} weights of {name} that stay. To make up for the "
            f"others, which reached up to {cut:.3g} in magnitude, they moved by up to {largest(step):.3g}. {title}."
        )
        return survivors(name, np.histogram(moved.numpy(), bins=100), np.array([-cut, cut]), title, text)


class OptimalBrainSurgeon(Method):
    """Cut the weights that change their layer's output least, and let the others make up for them.

    `scope` says which weights share a threshold: "network" (all, by the share of their layer's output that they
    cost) or "layer" (each layer has its own, and all the same sparsity). Raises ValueError for another scope, and
    `prepare` where there are no pictures, or none reaches a layer.

    >>> OptimalBrainSurgeon("row")
    Traceback (most recent call last):
    ValueError: scope is 'row', but must be one of network, layer
    """

    title = "Optimal Brain Surgeon"
    idea = "The weight goes that the others can make up for best, and they do."
    equation = (
        r"L_q = \frac{w_q^2}{2\,[H^{-1}]_{qq}}, \quad \delta w = -\frac{w_q}{[H^{-1}]_{qq}} H^{-1} e_q, "
        r"\quad H = \overline{x x^T}"
    )
    stores = "the surviving weights, moved, and the gaps between their positions"
    drawback = (
        "It keeps the output of each layer, not the loss, and each row of a large layer needs a large matrix solved."
    )
    paper = "hassibi1993"
    knob = Ranked.knob

    def __init__(self, scope: str = "network"):
        if scope not in ("network", "layer"):
            raise ValueError(f"scope is {scope!r}, but must be one of network, layer")
        self.scope = scope
        if scope == "layer":
            self.title = f"{self.title}, same share in each layer"

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> LeafCurve:
        if data is None:
            raise ValueError(
                "what a weight costs depends on the pictures: give prepare(model, data) the data to look at"
            )
        leaves = sound_leaves(model, where, matrices=True)
        grams = gram(model, data, PICTURES, where)
        fits = {}
        for group in [[path] for path in leaves] if self.scope == "layer" else [list(leaves)]:
            operations = {path: start(model, path, leaves[path], grams) for path in group}
            for path, found in cut(operations, self.knob.values).items():
                fits[path] = SurgeonFit(numbers(leaves[path]).cpu().flatten(), leaves[path].shape, found)
        return LeafCurve(self, model, self.knob, fits)


def start(model: nn.Module, path: str, leaf: Weight, grams: dict[str, Tensor]) -> Operation:
    """Lay a leaf on the table: the zeros of a Sparse are gone already, and a factor reads what its layer makes of x.

    Of W = u v, v reads x and u reads v x, so that the H of u is v H v'. Raises ValueError for a factor of any
    other product.
    """
    before, _, inside = path.rpartition("weight")
    layer, weight = before.removesuffix("."), model.get_submodule(f"{before}weight")
    if layer not in grams:
        raise ValueError(f"no picture reaches the layer {layer!r}: choose other layers with `where`")
    h = grams[layer]
    for name in inside.split(".")[1:]:
        if not isinstance(weight, LowRank):
            raise ValueError(
                f"{path} is a factor of a {type(weight).__name__}, and what it reads is not known here: prune before "
                "the factorization, or by magnitude"
            )
        v = numbers(weight.v).cpu()
        h = v @ h @ v.mT if name == "u" else h.sum(0, keepdim=True)
        weight = getattr(weight, name)
    kept = torch.ones(leaf.shape, dtype=torch.bool)
    if isinstance(leaf, Sparse):
        kept = torch.zeros_like(kept).flatten().index_fill(0, leaf.positions.cpu(), True)
    return Operation(numbers(leaf).cpu(), kept, h)


def cut(operations: dict[str, Operation], sparsities: Sequence[float]) -> dict[str, Found]:
    """Cut some weights together, stage by stage: for each path and sparsity, what stays and its new values."""
    found: dict[str, Found] = {path: {} for path in operations}
    held = sum(int(operation.kept.sum()) for operation in operations.values())
    for sparsity in sorted(sparsities):
        costs = torch.cat([operation.costs for operation in operations.values()])
        kept = dearest(costs, held - round(sparsity * held))
        parts = kept.split([operation.kept.numel() for operation in operations.values()])
        for (path, operation), part in zip(operations.items(), parts, strict=True):
            operation.cut(part, price=sparsity >= FIRST)
            positions = torch.nonzero(part).flatten()
            found[path][sparsity] = positions, operation.rows.flatten()[positions]
    return found


def dearest(costs: Tensor, count: int) -> Tensor:
    """Say for each cost whether it is among so many highest; which of equal ones is left to the sort.

    >>> dearest(torch.tensor([0.2, -1.0, 0.3]), 1).tolist()
    [False, False, True]
    """
    kept = torch.zeros(len(costs), dtype=torch.bool)
    if count:
        kept[torch.from_numpy(np.argpartition(costs.numpy(), -count)[-count:])] = True
    return kept
