"""What the transferring methods share: each stored filter stands for several, its copies under a fixed transform.

    nearest:  each stored number is the mean of the trained weights at its places, with their signs

which solves min ||W - A f|| for every transform A whose entries are 0, 1 and -1 with one entry in each row: A^T A is
diagonal and counts the places of each number.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labkit import layers
from labkit.data import Data
from labkit.filters.picture import orbit_picture
from labkit.layers import Conv2d
from labkit.methods import LeafCurve, Picture, sound_leaves
from labkit.replacing import Replacing, ReplacingFit
from labkit.train import Recipe
from labkit.weights import Transferred, Weight


class Transfer(Replacing):
    """A method that replaces the filters of convolutions; a subclass makes a Weight of the right shape, of zeros.

    The knob says for how many filters each stored one stands. A convolution in groups, one with a kernel that the
    transform does not fit, and one that would store no fewer numbers stay as they are, and so do matrices.
    """

    # At 0.05 LeNet-5, which has no batch normalisation, diverges with eight copies of a filter.
    recipe = Recipe(epochs=1, learning_rate=0.02)

    def empty(self, shape: tuple[int, ...], value: float) -> Transferred | None:
        """Return a Weight of this shape (out, in, height, width), all zeros; None where the transform does not fit."""
        raise NotImplementedError(f"{type(self).__name__} must say which Weight it makes")

    def nearest(self, weight: Tensor, value: float, seed: int) -> Weight:
        made = self.empty(tuple(weight.shape), value)
        return layers.Dense(weight) if made is None else filled(made, nearest_filters(made, weight))

    def draw(self, shape: tuple[int, ...], value: float, std: float, generator: torch.Generator) -> Weight:
        made = self.empty(shape, value)
        if made is None:
            return layers.Dense(std * torch.randn(shape, generator=generator))
        return filled(made, std * torch.randn(made.filters.shape, generator=generator))

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> LeafCurve:
        chosen = [weight_path(path) for path in convolutions(model, where)]
        leaves = sound_leaves(model, where, matrices=True)
        fits = {path: self.fit(leaves[path]) for path in chosen if path in leaves}
        if not fits:
            raise ValueError(
                "the convolutions are shared or factorised already: take a network whose filters are stored whole"
            )
        return self.curve(self, model, self.knob, fits)

    def show(self, fit: ReplacingFit, value: float, name: str) -> Picture:
        return orbit_picture(name, fit.at(value), fit)


def convolutions(model: nn.Module, where: str | None = None) -> list[str]:
    """List the paths of the convolutions to replace: those without groups.

    Raises ValueError for a layer that is none of them, and for a network without any.
    """
    every = layers.layers(model)
    found = [path for path, layer in every.items() if isinstance(layer, Conv2d) and layer.groups == 1]
    if where in every and where not in found:
        raise ValueError(
            f"layer {where!r} is no plain convolution: choose one of {', '.join(found) or 'another network'}"
        )
    if not found:
        raise ValueError("the network has no plain convolution, and only filters are transferred: take LeNet-5 or VGG")
    return found if where is None else [where]


def nearest_filters(weight: Transferred, target: Tensor) -> Tensor:
    """Return the filters whose copies are nearest to a target, as `weight` writes them out.

    >>> from labkit.weights import Negated
    >>> nearest_filters(Negated(torch.zeros(1, 2), 2), torch.tensor([[1.0, 2.0], [3.0, -2.0]])).tolist()
    [[-1.0, 2.0]]
    """
    zeros = torch.zeros(weight.filters.shape, dtype=target.dtype)
    _, back = torch.func.vjp(weight.written, zeros)  # A^T
    return back(target)[0] / back(weight.written(torch.ones_like(zeros)))[0]


def filled(weight: Transferred, filters: Tensor) -> Transferred:
    """Return the same kind of Weight with other filters."""
    return type(weight)(**weight.arguments() | {"filters": filters})


def weight_path(layer: str) -> str:
    """Return the path of a layer's weight."""
    return f"{layer}.weight" if layer else "weight"
