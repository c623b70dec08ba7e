"""What HashedNets are compared with: other networks that store as many numbers (Chen 2015).

    random edges      W = mask * V, a mask drawn at random, the weights under it trained;
    a low rank        W = u v, v (r, in) drawn at random and fixed, u (out, r) trained (Denil 2013);
    fewer neurons     a small dense network.

All have the knob of `HashedNets`, and store the same share of the weights in each layer; the small network
stores as many numbers in all. Biases are stored as they are. How the paper drew v, and which of u and v it
trained, is told here from memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from labkit import layers
from labkit.data import Data
from labkit.methods import Curve, Knob, LeafMethod, Method, Picture, numbers, sound_leaves
from labkit.narrower import chain, narrower
from labkit.pruning.hashed import SHARE, draw_seed, matrix, stored
from labkit.pruning.ranked import Ranked, RankedFit
from labkit.train import Recipe
from labkit.weights import Hashed, LowRank, Weight


class EdgesFit(RankedFit):
    """One weight whose numbers chance has put in an order; `at(share)` keeps the first of it."""

    def at(self, share: float) -> Weight | None:
        return super().at(1 - share)

    def picture(self, share: float, name: str) -> Picture:
        return super().picture(1 - share, name)


class RandomEdges(Ranked):
    """Keep a random part of the weights of each layer, and train only these."""

    title = "Random edges"
    idea = "Chance decides which weights a layer has, and training never changes which."
    equation = r"\hat W = M \odot W, \quad \textstyle\sum M = K"
    stores = "K weights for each layer, and their positions"
    drawback = "A neuron sees few of its inputs, and at a high rate hardly any."
    paper = "chen2015"
    knob = SHARE
    recipe = Recipe(epochs=1, learning_rate=0.1)
    scope = "layer"
    fit = EdgesFit

    def scores(self, leaves: dict[str, Weight], model: nn.Module, data: Data | None) -> dict[str, Tensor]:
        """Draw a number from 0 to 1 for each weight."""
        return {path: torch.rand(tuple(leaf.shape)) for path, leaf in leaves.items()}


@dataclass
class FixedRankFit:
    """One weight as a matrix, and the seed of the factor that stays as it is."""

    leaf: Weight
    seed: int

    def at(self, share: float) -> Weight | None:
        """Return u v, with the u (out, r) of the least squared error; None at share 1.

            v_ij = +- 1 / sqrt(in),   u = W v' (v v')^-1,   r = K / out

        Random signs stand in for Gaussian numbers of the same variance, so that a seed says all of v.
        """
        out, in_ = self.leaf.shape[0], math.prod(self.leaf.shape[1:])
        rank = max(1, round(stored(share, out * in_) / out))
        if rank >= in_:
            return None
        values = numbers(self.leaf).reshape(out, in_)
        scale = nn.Parameter(values.new_full((1,), in_**-0.5), requires_grad=False)
        v = Hashed(scale, self.seed, (rank, in_))
        u = torch.linalg.lstsq(v().T.double().cpu(), values.T.double().cpu()).solution.T
        return LowRank(u.to(values).contiguous(), v, tuple(self.leaf.shape))

    def picture(self, share: float, name: str) -> Picture:
        """The product of the two factors."""
        weight = self.at(share)
        rank = "full" if weight is None else weight.u.shape[1]
        title = f"{name}: rank {rank}"
        return matrix(name, numbers(weight or self.leaf), title, f"The matrix of {title}, one factor drawn at random.")


class LowRankFixed(LeafMethod):
    """Write each weight as a product of two thin factors, one random and fixed, and train the other."""

    title = "Low rank, one factor fixed"
    idea = "A random matrix projects a layer's inputs to r numbers, and only what follows is trained."
    equation = r"\hat W = U V, \quad V \in \{\pm 1 / \sqrt{n}\}^{r \times n} \text{ fixed}"
    stores = "the factor that is trained, and a seed for the other"
    drawback = "What the random projection loses, training cannot bring back."
    paper = "chen2015"
    knob = SHARE
    recipe = Recipe(epochs=1, learning_rate=0.1)
    matrices = True

    def fit(self, leaf: Weight) -> FixedRankFit:
        return FixedRankFit(leaf, draw_seed())


class NarrowerCurve(Curve):
    """Small untrained networks with the outputs of a large one; `at(1)` is the large one itself."""

    def __init__(self, method: Method, model: nn.Module, knob: Knob):
        super().__init__(method, model, knob)
        self.row, self.seed = chain(model), draw_seed()

    def at(self, share: float) -> nn.Module:
        if self.knob.check(share) == 1:
            return layers.replace(self.model, {})
        biases = sum(len(layer.bias) for layer in self.row.values() if layer.bias is not None)
        wanted = biases + sum(stored(share, layer.weight.shape.numel()) for layer in self.row.values())
        return narrower(self.model, wanted, self.seed)  # the same small network whenever it is asked for

    def picture(self, share: float, layer: str) -> Picture:
        if layer not in self.row:
            raise ValueError(f"layer {layer!r} does not exist: choose one of {', '.join(self.row)}")
        values = numbers(self.at(share).get_submodule(layer).weight)
        title = f"{layer}: {values.shape[0]} neurons"
        return matrix(layer, values, title, f"The matrix of {title}, before training.")


class Narrower(Method):
    """Train a network with fewer hidden neurons from scratch."""

    title = "Fewer neurons"
    idea = "A network that is small from the beginning stores as many numbers, and is trained like any other."
    equation = r"m' \text{ hidden neurons}: \quad m' (n + c + 1) + c \approx K"
    stores = "the weights of a small dense network"
    drawback = "It begins from nothing: what the large network has learnt is lost."
    paper = "chen2015"
    knob = SHARE
    recipe = Recipe(epochs=1, learning_rate=0.1)

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> NarrowerCurve:
        if where is not None:
            raise ValueError(f"where is {where!r}, but a narrower layer changes its neighbours: leave where out")
        sound_leaves(model)
        return NarrowerCurve(self, model, self.knob)
