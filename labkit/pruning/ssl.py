"""Structured sparsity learning: training itself shrinks whole filters and channels, then the smallest are removed.

    minimise  loss + lambda sum_l ( m_l sum_n |W_l[n]|_2 + m'_l sum_c |W_l[:, c]|_2 )

over the layers l, their filters n and their input channels c. The norm of a group is not squared, so its
slope does not fade as the group gets small: where the loss does not resist, the whole group goes to zero
(the group lasso). The paper has one lambda for all filters and one for all channels (Wen 2016). Here a
layer's groups count in units of m_l and m'_l, their mean norms when training starts, so that one number
fits narrow and wide layers. And since the slope of a norm is 1, the way that SGD takes is known:

    strength = lambda sum_t rate_t / (1 - momentum),

the share of the mean norm that a group would lose by the penalty if the loss did not resist.

The penalty rests on the first part of the run. Then the filters with the smallest norm go, the same share
of each layer as in `filters`, and what is left is trained on without it, in the same cycle of the learning
rate. No group becomes exactly zero by gradient steps, so the removal costs accuracy that the rest wins back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from labkit.channels import Group
from labkit.data import Data
from labkit.pruning.filters import FilterCurve, FilterPruning
from labkit.train import Loss, Progress, Recipe, Trainer, cross_entropy

PENALISED = 0.25  # of the steps; with half of them less accuracy is left, since the rest is too short


def norms(model: nn.Module, found: list[Group]) -> list[Tensor]:
    """Return the 2-norms of each layer's filters, and of the channels that each layer reads, each (width,).

    >>> from labkit import adopt, channels
    >>> model = adopt(nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2)))
    >>> model[0].weight.values.data = torch.tensor([[3.0], [-1.0]])
    >>> model[2].weight.values.data = torch.tensor([[3.0, 0.0], [4.0, 1.0]])
    >>> [part.tolist() for part in norms(model, channels.groups(model, (1,)))]
    [[3.0, 1.0], [5.0, 1.0]]
    """
    parts = []
    for group in found:
        filters = [model.get_submodule(path).weight() for path in group.producers]
        readers = [model.get_submodule(path).weight().transpose(0, 1) for path, _ in group.consumers]
        parts += [part.reshape(group.width, -1) for part in filters + readers]
    return [torch.linalg.vector_norm(part, dim=1) for part in parts]


class StructuredCurve(FilterCurve):
    """`at(share)` removes the filters with the smallest norm; `train` first makes them small."""

    def train(
        self,
        value: float,
        data: Data,
        recipe: Recipe | None = None,
        device: str = "cpu",
        loss: Loss = cross_entropy,
    ) -> Iterator[tuple[Progress, nn.Module]]:
        self.knob.check(value)
        found, model = list(self.order), copy.deepcopy(self.model)
        trainer = Trainer(model, data, recipe or self.method.recipe, loss, device=device)
        trainer.penalty = self.group_lasso(trainer)
        for progress in trainer.run(every=10):
            if trainer.penalty is None:
                yield progress, trainer.model
                continue
            thinner = FilterCurve(self.method, trainer.model, self.knob, found).at(value)
            yield progress, thinner
            if progress.step >= PENALISED * progress.steps:
                trainer.penalty = None
                trainer.go_on_with(thinner)

    def group_lasso(self, trainer: Trainer) -> Callable[[nn.Module], Tensor]:
        """Return the penalty of a network for this run: lambda times the norms, in units of their means now."""
        recipe, steps, found = trainer.recipe, trainer.steps, list(self.order)
        means = [part.mean().detach() for part in norms(trainer.model, found)]
        way = sum(recipe.rate(step, steps) for step in range(round(PENALISED * steps))) / (1 - recipe.momentum)
        strength = self.method.strength / way

        def penalty(model: nn.Module) -> Tensor:
            parts = zip(norms(model, found), means, strict=True)
            return strength * sum(mean * part.sum() for part, mean in parts)

        return penalty


class StructuredSparsity(FilterPruning):
    """Train with a group lasso over filters and channels, then remove the filters with the smallest norm.

    `strength` is the share of its norm that an average filter would lose if the loss did not resist.
    Raises ValueError for one that is not above 0.

    >>> StructuredSparsity(strength=0)
    Traceback (most recent call last):
    ValueError: strength is 0, but must be above 0, for example 0.2
    """

    title = "Structured sparsity learning"
    idea = "Training pulls whole filters and channels to zero, and then the smallest are removed."
    equation = r"\min_W L(W) + \lambda \sum_l \Big( \sum_n \|W_{l,n}\|_2 + \sum_c \|W_{l,:,c}\|_2 \Big)"
    drawback = "The penalty needs training of its own: for the same share removed more epochs than pruning at once."
    paper = "wen2016"
    power = 2
    measure = "norm of the weights"
    curve = StructuredCurve

    def __init__(self, strength: float = 0.2):
        if not strength > 0:
            raise ValueError(f"strength is {strength!r}, but must be above 0, for example 0.2")
        self.strength = strength
