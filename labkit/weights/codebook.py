"""Shared values: Gong 2014, Han 2016."""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.weights.base import Weight, as_weight, check_whole


class Codebook(Weight):
    """Every number is one of k shared values: w = centroids[codes].

    `codes` are whole numbers below k in the shape of the weight, `centroids` has shape (k,).

    >>> Codebook(torch.tensor([[0, 1], [1, 1]]), torch.tensor([-1.0, 2.0]))().tolist()
    [[-1.0, 2.0], [2.0, 2.0]]
    """

    def __init__(self, codes: Tensor, centroids: Weight | Tensor):
        super().__init__()
        self.centroids = as_weight(centroids)
        if len(self.centroids.shape) != 1:
            raise ValueError(f"centroids must have one dimension, not shape {tuple(self.centroids.shape)}")
        check_whole("codes", codes, self.centroids.shape[0])
        self.register_buffer("codes", codes.to(torch.int32))

    @property
    def shape(self) -> torch.Size:
        return self.codes.shape

    @property
    def sharing(self) -> float:
        return max(1.0, self.codes.numel() / max(1, self.centroids.shape[0]))

    def forward(self) -> Tensor:
        return self.centroids().index_select(0, self.codes.flatten()).view(self.codes.shape)

    def take(self, positions: Tensor) -> Weight:
        return Codebook(self.codes.flatten()[positions], self.centroids)

    def select(self, index: Tensor, dim: int) -> Weight:
        return Codebook(self.codes.index_select(dim, index), self.centroids)
