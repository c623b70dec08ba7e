"""The steps that lead from a trained network to its smallest file, each a network in, a network out.

1. `prune`: while the network trains, weights with low scores become zero (Zhu 2017), until a share d is left:

       density(t) = d + (1 - d) (1 - t)^3,  t from 0 to 1 over the first part of the run.

   The cut is fast at first, when much is idle, and slow at the end. What counts is the LAMP score (Lee 2021).
2. `arrange`: the units of a hidden layer may stand in any order. Those that look at neighbouring inputs
   come side by side, so that the gaps between the positions get shorter.
3. `share`: the survivors of each layer become k values (k-means), which are then trained (Han 2016).
4. `round_biases`: so do the biases, and what is left are float16 numbers.

Huffman coding and the forms of the streams are the file's own (`labkit.storage`).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit import channels, layers
from labkit.clusters import Ordered
from labkit.data import Data
from labkit.deploy import deployed
from labkit.distillation.losses import soft_loss
from labkit.methods import numbers
from labkit.pruning.lamp import lamp
from labkit.train import Loss, Progress, Recipe, Trainer, cross_entropy
from labkit.weights import Codebook, Sparse

EVERY = 50  # steps between two cuts


def density_at(part: float, density: float) -> float:
    """Return the density after a part of the schedule, 0 to 1: d + (1 - d) (1 - part)^3 (Zhu 2017).

    >>> density_at(0, 0.1), round(density_at(0.5, 0.1), 6), density_at(1, 0.1)
    (1.0, 0.2125, 0.1)
    """
    return density + (1 - density) * (1 - part) ** 3


class Schedule:
    """An `after_step` hook of the Trainer that cuts weights as they train, and holds at zero what was cut.

    The network holds Dense weights. `share` is the part of the steps in which the density falls.
    """

    def __init__(self, model: nn.Module, density: float, share: float):
        self.values = {path: leaf.values for path, leaf in layers.leaves(model)}
        self.masks = {path: torch.ones_like(values, dtype=torch.bool) for path, values in self.values.items()}
        self.density, self.share, self.done = density, share, False

    @torch.no_grad()
    def __call__(self, model: nn.Module, progress: Progress) -> None:
        part = min(1.0, progress.step / (self.share * progress.steps))
        if not self.done and (progress.step % EVERY == 0 or part == 1):
            self.cut(density_at(part, self.density))
            self.done = part == 1
        for path, values in self.values.items():
            values.mul_(self.masks[path])

    def cut(self, density: float) -> None:
        """Keep the weights with the highest scores of the whole network; what was cut once has the score 0."""
        scores = {path: lamp(values * self.masks[path]) for path, values in self.values.items()}
        together = torch.cat([score.flatten() for score in scores.values()])
        kept = max(1, round(density * len(together)))
        least = together.kthvalue(len(together) - kept + 1).values
        self.masks = {path: (score >= least) & (score > 0) for path, score in scores.items()}


def prune(
    model: nn.Module,
    data: Data,
    recipe: Recipe,
    density: float,
    share: float = 0.6,
    loss: Loss = cross_entropy,
) -> nn.Module:
    """Train a copy of a dense network while all but a share `density` of its weights become zero (Zhu 2017).

    In the first `share` of the steps the density falls, in the others what is left trains on. Raises
    ValueError for a density outside of 0 to 1.
    """
    if not 0 < density <= 1:
        raise ValueError(f"density is {density}, but must be above 0 and at most 1: the share of weights that stay")
    model = copy.deepcopy(model).to(memory_format=torch.channels_last)  # convolutions train faster so
    schedule = Schedule(model, density, share)
    for _ in Trainer(model, data, recipe, loss, after_step=schedule).run():
        pass
    new = {}
    for path, mask in schedule.masks.items():
        positions = torch.nonzero(mask.flatten()).flatten()
        values = schedule.values[path].detach().flatten()[positions]
        new[path] = Sparse(positions, values, tuple(mask.shape))
    return layers.replace(model, new).eval()


def arrange(model: nn.Module, image_shape: tuple[int, int, int]) -> nn.Module:
    """Return a copy in which hidden units, or filters, are ordered by the mean position of their inputs.

    Its outputs are the same but for the order in which sums are rounded.
    """
    model = copy.deepcopy(model)
    for group in channels.groups(model, image_shape):
        kept = model.get_submodule(group.producers[0]).weight().detach().flatten(1) != 0
        places = torch.arange(kept.shape[1], dtype=torch.float64)
        order = torch.argsort((kept * places).sum(1) / kept.sum(1).clamp(min=1), stable=True)
        for path in group.producers:
            layer = model.get_submodule(path)
            layer.weight = layer.weight.select(order, 0)
            layer.bias = nn.Parameter(layer.bias.detach()[order])
        for path, spread in group.consumers:
            layer = model.get_submodule(path)
            layer.weight = layer.weight.select(channels.columns(order, spread), 1)
    return model


def share(model: nn.Module, clusters: Mapping[str, int]) -> nn.Module:
    """Return a copy in which the weights of each layer share so many values: `clusters` by the layer's path."""
    new = {}
    for layer, count in clusters.items():
        for path, leaf in layers.leaves(model, layer):
            row = Ordered.of(numbers(leaf).flatten().numpy())
            centroids, sizes = row.clusters(count)
            new[path] = Codebook(torch.from_numpy(row.codes(sizes)).view(leaf.shape), torch.from_numpy(centroids))
    return layers.replace(model, new)


def distilled(teacher: nn.Module, share: float = 0.7, temperature: float = 3.0) -> Loss:
    """Return a loss that also teaches the answers of a better network (Hinton 2015).

        loss = (1 - a) H(y, p) + a T^2 KL(p_teacher(T) || p(T)),  p(T) = softmax(outputs / T)

    a is the `share` of the teacher, T its `temperature`. The teacher runs in bfloat16: it only gives hints.
    """
    net = deployed(teacher)

    def loss(outputs: Tensor, labels: Tensor, images: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16):
            hints = net(images).float()
        return (1 - share) * F.cross_entropy(outputs, labels) + share * soft_loss(outputs, hints, temperature)

    return loss


def train(model: nn.Module, data: Data, recipe: Recipe, loss: Loss = cross_entropy) -> nn.Module:
    """Train a copy of a network: of a Codebook, the shared values (Han 2016)."""
    model = copy.deepcopy(model)
    for _ in Trainer(model, data, recipe, loss).run():
        pass
    return model.eval()


@torch.no_grad()
def round_biases(model: nn.Module, count: int) -> nn.Module:
    """Return a copy in which each layer's biases share `count` values, and all parameters are float16 numbers."""
    model = copy.deepcopy(model)
    for layer in layers.layers(model).values():
        row = Ordered.of(layer.bias.numpy())
        centroids, sizes = row.clusters(count)
        layer.bias.copy_(torch.from_numpy(centroids[row.codes(sizes)]))
    for parameter in model.parameters():
        parameter.copy_(parameter.half().float())
    return model
