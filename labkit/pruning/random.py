"""Random pruning: the control that every criterion must beat.

keep w_i  where  u_i > s,   u_i drawn evenly from 0 to 1,   s the sparsity (Blalock 2020).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labkit.data import Data
from labkit.pruning.ranked import Ranked
from labkit.weights import Weight


class Random(Ranked):
    """Set weights to zero by lot, the same share in each layer: the usual baseline (Blalock 2020).

    One threshold for all layers would cut the same shares but for chance. The dice depend on `seed` alone,
    and more sparsity never brings a weight back.

    >>> from labkit import zoo
    >>> model = zoo.load("LeNet-300-100")
    >>> one, same, other = (Random(seed).prepare(model).at(0.9) for seed in (0, 0, 1))
    >>> torch.equal(one.fc1.weight(), same.fc1.weight()), torch.equal(one.fc1.weight(), other.fc1.weight())
    (True, False)
    """

    title = "Random pruning"
    idea = "Weights become zero by lot, the same share in each layer. A criterion is worth what it wins over this."
    equation = r"\hat w_i = w_i \cdot [\,u_i > s\,], \quad u_i \sim U(0, 1)"
    stores = "the surviving weights, and the gaps between their positions"
    drawback = "It cuts the weights that matter as often as the others: it is a control, not a method."
    paper = "blalock2020"
    scope = "layer"

    def __init__(self, seed: int = 0):
        self.seed = seed

    def scores(self, leaves: dict[str, Weight], model: nn.Module, data: Data | None) -> dict[str, Tensor]:
        """Draw a number from 0 to 1 for each weight."""
        random = torch.Generator().manual_seed(self.seed)
        return {path: torch.rand(tuple(leaf.shape), generator=random) for path, leaf in leaves.items()}
