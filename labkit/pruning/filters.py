"""Filter pruning: whole filters and hidden units are removed, so the network gets thinner for real.

    score_j = sum |F_j|  over all weights of filter j;  the lowest go, the same share of each layer.

With a filter go its picture, its numbers in the batch normalisation behind, and the slices of the next
layer that read it. No position needs to be stored, and every processor is faster with fewer filters.
Where layers are added to each other, as in a residual network, their filters can only go together: the
score is then the sum over these layers, each in units of its mean, so that each has the same say.
A hidden unit of a fully connected layer is a filter too: its row of the matrix (Li 2017).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from labkit import layers
from labkit.channels import Group, groups, image_shape, remove
from labkit.data import Data
from labkit.methods import Curve, Knob, Method, Picture, numbers, sound_leaves

SHARES = tuple(step / 20 for step in range(20))


def scores(model: nn.Module, group: Group, power: int = 1) -> Tensor:
    """Score the filters of a group, shape (width,): their p-norms, p = `power`, in units of the layer's mean, added up.

        score_j = sum over layers of  |F_j|_p / mean_k |F_k|_p

    >>> model = layers.adopt(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)))
    >>> model[0].weight.values.data = torch.tensor([[3.0, -3.0], [1.0, 1.0]])
    >>> scores(model, *groups(model, (2,))).tolist()
    [1.5, 0.5]
    """
    total = torch.zeros(group.width)
    for path in group.producers:
        rows = numbers(model.get_submodule(path).weight).flatten(1).cpu()
        norms = torch.linalg.vector_norm(rows, power, dim=1)
        total += norms / norms.mean().clamp_min(torch.finfo(norms.dtype).tiny)
    return total


def weakest_first(scored: Tensor) -> Tensor:
    """Return the indices of filters from the lowest score to the highest; equal ones in their order."""
    return torch.from_numpy(np.argsort(scored.numpy(), kind="stable"))


class FilterCurve(Curve):
    """The filters of each group, scored and sorted once for every share."""

    def __init__(self, method: FilterPruning, model: nn.Module, knob: Knob, found: list[Group]):
        super().__init__(method, model, knob)
        self.scores = {group: scores(model, group, method.power) for group in found}
        self.order = {group: weakest_first(scored) for group, scored in self.scores.items()}

    def at(self, share: float) -> nn.Module:
        self.knob.check(share)
        return remove(self.model, {group: order[gone(group, share) :] for group, order in self.order.items()})

    def picture(self, share: float, layer: str) -> Picture:
        """Draw the filters of a convolution, or the scores of hidden units, the strongest first."""
        group = next((group for group in self.order if layer in group.producers), None)
        if group is None:
            raise ValueError(f"layer {layer!r} is left alone: it is not among {', '.join(_prunable(self.order))}")
        order, stay = self.order[group].flip(0), group.width - gone(group, share)
        weight = numbers(self.model.get_submodule(layer).weight).cpu()
        if weight.ndim == 2:
            return Picture(
                kind="spectrum",
                title=f"{layer}: {stay} of {group.width} units stay",
                x="hidden unit, the strongest first",
                y=f"{self.method.measure}, mean = 1",
                values=self.scores[group][order].numpy(),
                marks=np.array([stay]),
                text=f"The units of {layer}, sorted by the {self.method.measure}: the first {stay} stay.",
            )
        filters = weight[:, 0] if weight.shape[1] == 1 else weight.abs().sum(1)
        drawn = "" if weight.shape[1] == 1 else "|weights| summed over its inputs, "
        return Picture(
            kind="filters",
            title=f"{layer}: {stay} of {group.width} filters stay",
            x=f"{drawn}the strongest first",
            y="",
            values=filters[order].numpy(),
            marks=np.arange(stay, group.width),
            text=f"The filters of {layer}, sorted by the {self.method.measure}: the first {stay} stay, "
            "the others are crossed out.",
        )


class FilterPruning(Method):
    """Remove the filters with the smallest sum of |weights|, the same share in each layer (Li 2017).

    With `where`, only the filters of one layer go, and those that hang together with them. Raises ValueError
    for a layer whose outputs must stay, such as the last one.
    """

    title = "Filter pruning"
    idea = "The filters with the smallest weights are removed, with all that reads them: the network gets thinner."
    equation = r"s_j = \sum |F_j|"
    stores = "a dense network with fewer filters: no positions, and less to multiply on any processor"
    drawback = "Each layer tolerates another share, and a filter that is small need not be useless."
    paper = "li2017"
    knob = Knob("filters", "share of filters removed", SHARES, 0, percent=True)
    power: ClassVar[int] = 1  # of the norm
    measure: ClassVar[str] = "sum of |weights|"
    curve: ClassVar[type[FilterCurve]] = FilterCurve

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> FilterCurve:
        """Score the filters; where the network is not one of the zoo, the shape of its pictures comes from `data`."""
        sound_leaves(model, where)
        found = groups(model, image_shape(model, data))
        chosen = [group for group in found if where is None or where in group.producers]
        if not chosen:
            raise ValueError(cannot_lose(where or "the network", found))
        return self.curve(self, model, self.knob, chosen)


def gone(group: Group, share: float) -> int:
    """Return how many filters of a group go at a share; one stays always.

    >>> gone(Group(("conv1",), (), (), 20), 0.25)
    5
    """
    return min(round(share * group.width), group.width - 1)


def prune_filters(
    model: nn.Module, stay: Mapping[str, int | Iterable[int]], image_shape: tuple[int, int, int]
) -> nn.Module:
    """Return a copy in which chosen layers keep so many filters, those with the largest sum of |weights|.

    `stay` maps the path of a layer to how many filters stay, or to the indices of those that stay; the
    layers that hang together with it keep the same ones. Raises ValueError for a layer that does not exist
    or cannot lose filters, such as the last one, and for 0 filters (Li 2017).

    >>> from labkit import zoo
    >>> prune_filters(zoo.load("LeNet-5"), {"conv1": 8, "conv2": [0, 3]}, (1, 28, 28)).conv2.weight.shape
    torch.Size([2, 8, 5, 5])
    """
    found = groups(model, image_shape)
    of = {path: group for group in found for path in group.producers}
    kept: dict[Group, Iterable[int] | Tensor] = {}
    for path, wanted in stay.items():
        if path not in layers.layers(model):
            choice = ", ".join(name for name in layers.layers(model) if name in of)
            raise ValueError(f"layer {path!r} does not exist: choose one of {choice}")
        if path not in of:
            raise ValueError(cannot_lose(path, found))
        group = of[path]
        if group in kept:
            raise ValueError(f"{path} keeps the same filters as {', '.join(group.producers)}: name one of them only")
        if isinstance(wanted, int) and 1 <= wanted <= group.width:
            kept[group] = weakest_first(scores(model, group))[-wanted:]
        elif isinstance(wanted, Iterable):
            kept[group] = wanted
        else:
            raise ValueError(f"{path} cannot keep {wanted!r} filters: give 1 to {group.width}, or a list of them")
    return remove(model, kept)


def cannot_lose(what: str, found: list[Group]) -> str:
    """Say in one sentence why filters cannot be removed, and where they can."""
    choice = ", ".join(_prunable(found)) or "another network"
    return f"{what} cannot lose filters, since what reads them cannot get narrower: choose {choice}"


def _prunable(found: Iterable[Group]) -> list[str]:
    return [path for group in found for path in group.producers]
