"""LAMP: magnitudes made comparable across layers, so that one threshold gives each layer its own sparsity.

    score_i = w_i^2 / sum of w_j^2 over the weights of the layer with |w_j| >= |w_i|

Cutting w_i adds at most w_i^2 to the squared error of the layer's output, for an input of length 1; the
score is its share of the squares that are left once all smaller weights are gone (Lee 2021). The largest
weight of a layer has the score 1, the highest there is, so no layer becomes empty before every layer is down
to its last weight. Inside a layer the order is that of the magnitudes: only how the layers share the
sparsity is new.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labkit.data import Data
from labkit.methods import numbers
from labkit.pruning.magnitude import MagnitudeFit
from labkit.pruning.ranked import Ranked
from labkit.weights import Weight


def lamp(values: Tensor) -> Tensor:
    """Return the layer-adaptive score of each number, from 0 to 1, in the same shape (Lee 2021).

    Equal magnitudes are taken one after the other, so that each next one has a higher score.

    >>> lamp(torch.tensor([3.0, -1.0])).tolist()  # 9 / 9 and 1 / (1 + 9)
    [1.0, 0.1]
    """
    squares, order = values.flatten().double().square().sort(stable=True)
    at_least_as_large = squares.flip(0).cumsum(0).flip(0)
    scores = torch.empty_like(squares)
    scores[order] = torch.where(squares > 0, squares / at_least_as_large, 0.0)
    return scores.view(values.shape)


class LAMP(Ranked):
    """Cut the weights whose squares are the smallest share of what is left in their layer (Lee 2021).

    >>> from labkit import zoo
    >>> small = LAMP().prepare(zoo.load("LeNet-300-100")).at(0.999)
    >>> all(len(layer.weight.positions) for layer in (small.fc1, small.fc2, small.fc3))
    True
    """

    title = "LAMP"
    idea = "A weight counts by its square as a share of all squares in its layer that are at least as large. One "
    idea += "threshold on these scores gives each layer a sparsity of its own."
    equation = r"s_i = \frac{w_i^2}{\sum_{j : |w_j| \ge |w_i|} w_j^2}"
    stores = "the surviving weights, and the gaps between their positions"
    drawback = "It looks at the weights alone: how often an input is used, it does not know."
    paper = "lee2021"
    fit = MagnitudeFit

    def scores(self, leaves: dict[str, Weight], model: nn.Module, data: Data | None) -> dict[str, Tensor]:
        """Return the layer-adaptive score of each number."""
        return {path: lamp(numbers(leaf)) for path, leaf in leaves.items()}
