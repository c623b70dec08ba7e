"""The control of a rank method: the same rank, and a subspace of the outputs that chance has drawn.

    W_r = Q_r Q_r' W,   Q_r (m, r) a random orthonormal basis.

A random direction of m carries 1 / m of the energy in the mean, so that r of them keep r / m of it, whatever W is.
What an SVD keeps beyond that is what W has of structure.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from labkit.lowrank.subspace import SubspaceFit
from labkit.lowrank.svd import SVD
from labkit.methods import Picture, numbers
from labkit.weights import Weight


def random_basis(rows: int, seed: int) -> Tensor:
    """Draw orthonormal columns (rows, rows), no direction likelier than another: the Q of a Gaussian matrix.

    >>> q = random_basis(5, seed=0)
    >>> torch.allclose(q.mT @ q, torch.eye(5), atol=1e-5)
    True
    """
    gaussian = torch.randn(rows, rows, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    q, r = torch.linalg.qr(gaussian)
    return (q * r.diagonal().sign()).float()  # without the signs, QR would prefer some


class RandomFit(SubspaceFit):
    """One weight and directions that chance has drawn: what they carry follows no order."""

    def picture(self, rank: int, name: str) -> Picture:
        """What each direction carries, with the cut."""
        drawn = super().picture(rank, name)
        text = f"What directions drawn at random carry of {name}, from {self.s.min():.3g} to {self.s.max():.3g}"
        return dataclasses.replace(drawn, text=f"{text}. {drawn.title}.")


class RandomSubspace(SVD):
    """Project each matrix on a random subspace of its outputs; the dice depend on `seed` and the matrix's height.

    >>> from labkit import zoo
    >>> small = RandomSubspace(seed=1).prepare(zoo.load("LeNet-300-100")).at(32)
    >>> small.fc1.weight.u.shape
    torch.Size([300, 32])
    """

    title = "Random subspace"
    idea = "The output of each layer is projected on random directions, as many as the rank. An SVD must beat it."
    equation = r"\hat W = Q_r Q_r^T W, \quad Q_r \text{ drawn at random}, \quad E\|\hat W\|^2 = \tfrac{r}{m}\|W\|^2"
    stores = "two thin matrices for each layer, as the SVD does"
    drawback = "It keeps r / m of the energy, and asks neither weights nor pictures: it is a control, not a method."
    paper = "eckart1936"

    def __init__(self, seed: int = 0):
        self.seed = seed

    def fit(self, leaf: Weight) -> RandomFit:
        values = numbers(leaf).cpu()
        matrix = values.flatten(1)
        q = random_basis(len(matrix), self.seed)
        carried = torch.linalg.vector_norm(q.mT @ matrix, dim=1)
        return RandomFit(q, carried, matrix, values.shape, "norm of the direction")
