"""Maps that belong together: the orientations of one filter, which are normalised alike and pooled into one.

The maps (n, filters * turns, height, width) of a filter's orientations stand beside each other. When the picture
turns, they turn and change places; what treats all of them alike keeps that so.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class OrbitNorm(nn.Module):
    """A batch normalisation with one mean, variance, scale and shift for all maps of a filter.

        y[j, r] = gamma_j (x[j, r] - mean_j) / sqrt(var_j + eps) + beta_j,   means over pictures, pixels and turns r

    `norm` is of as many features as there are filters. Its numbers can be read as a plain one's, one for each map.

    >>> OrbitNorm(nn.BatchNorm3d(2), 4)(torch.ones(3, 8, 5, 5)).shape
    torch.Size([3, 8, 5, 5])
    """

    def __init__(self, norm: nn.BatchNorm3d, turns: int):
        super().__init__()
        self.norm, self.turns = norm, turns

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.unflatten(1, (-1, self.turns))).flatten(1, 2)

    @property
    def eps(self) -> float:
        return self.norm.eps

    @property
    def weight(self) -> Tensor:
        return self._for_each_map(self.norm.weight)

    @property
    def bias(self) -> Tensor:
        return self._for_each_map(self.norm.bias)

    @property
    def running_mean(self) -> Tensor:
        return self._for_each_map(self.norm.running_mean)

    @property
    def running_var(self) -> Tensor:
        return self._for_each_map(self.norm.running_var)

    def _for_each_map(self, numbers: Tensor) -> Tensor:
        return numbers.repeat_interleave(self.turns)


@torch.no_grad()
def shared(norm: nn.BatchNorm2d, turns: int) -> OrbitNorm:
    """Make the normalisation of orbits whose numbers are the means of a plain one's over each orbit.

    >>> plain = nn.BatchNorm2d(4)
    >>> plain.weight.data = torch.tensor([1.0, 3.0, 5.0, 5.0])
    >>> shared(plain, 2).weight.tolist()
    [2.0, 2.0, 5.0, 5.0]
    """
    made = nn.BatchNorm3d(norm.num_features // turns, norm.eps, norm.momentum)
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(made, name).copy_(getattr(norm, name).view(-1, turns).mean(1))
    return OrbitNorm(made, turns).train(norm.training)


class OrbitBias(nn.Module):
    """One bias for all maps of a filter: `values` (filters,) are added to maps (n, filters * turns, height, width).

    >>> OrbitBias(torch.tensor([1.0, 5.0]), 2)(torch.zeros(1, 4, 1, 1)).flatten().tolist()
    [1.0, 1.0, 5.0, 5.0]
    """

    def __init__(self, values: Tensor, turns: int):
        super().__init__()
        self.values, self.turns = nn.Parameter(values.detach().clone()), turns

    def forward(self, x: Tensor) -> Tensor:
        return x + self.values.repeat_interleave(self.turns)[:, None, None]


class OrbitPool(nn.Module):
    """The largest of the maps of each filter, at each place: (n, filters * turns, …) becomes (n, filters, …).

    >>> OrbitPool(2)(torch.tensor([[1.0, 3.0, 5.0, 4.0]])).tolist()
    [[3.0, 5.0]]
    """

    def __init__(self, turns: int):
        super().__init__()
        self.turns = turns

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, self.turns)).amax(2)
