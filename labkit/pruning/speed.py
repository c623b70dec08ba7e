"""The time that zeros really save: none in a dense kernel, some in a sparse one, most where filters are gone.

A processor multiplies a zero as fast as any other number. To pass over it, a sparse kernel reads a list of
positions, and jumps: that pays only where most numbers are zeros. A network with fewer filters is a smaller
dense network, and needs no other kernel. PyTorch has no sparse convolution, so the convolutions stay dense.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labkit import layers
from labkit.deploy import deployed
from labkit.methods import numbers
from labkit.table import Table
from labkit.timetable import ROUNDS, timetable
from labkit.weights import Weight, as_weight

DENSE, ZEROS, ROWS, THINNER = "dense", "zeros in dense kernels", "zeros left out (CSR)", "thinner"
NOTE = "A dense kernel does all. CSR is for the fully connected layers, the convolutions stay dense."


class CompressedRows(Weight):
    """A matrix multiplied by its numbers that are not zero alone, row by row (compressed sparse rows, CSR).

    It is for the clock: files hold a Sparse. Raises ValueError for what is no matrix.

    >>> CompressedRows(torch.eye(2)).linear(torch.tensor([[3.0, 4.0]])).tolist()
    [[3.0, 4.0]]
    """

    stored = False

    def __init__(self, matrix: Weight | Tensor):
        super().__init__()
        self.matrix = as_weight(matrix)
        if len(self.shape) != 2:
            raise ValueError(f"compressed rows need a matrix, not a weight of shape {tuple(self.shape)}")

    @property
    def shape(self) -> torch.Size:
        return self.matrix.shape

    def forward(self) -> Tensor:
        return self.matrix()

    @functools.cached_property
    def rows(self) -> Tensor:
        """The matrix in PyTorch's CSR, made when it is first needed, since PyTorch cannot copy it."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state", UserWarning)
            return numbers(self.matrix).to_sparse_csr()

    def linear(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        flat = x.reshape(-1, x.shape[-1]).mT  # PyTorch has the sparse factor on the left: y' = W x'
        y = self.rows @ flat if bias is None else torch.addmm(bias[:, None], self.rows, flat)
        return y.mT.reshape(*x.shape[:-1], -1)


def compressed_rows(model: nn.Module) -> nn.Module:
    """Return the network as it would be deployed, with the fully connected layers in CSR.

    >>> model = layers.adopt(nn.Sequential(nn.Linear(3, 2)))
    >>> type(compressed_rows(model).get_submodule("0").weight).__name__
    'CompressedRows'
    """
    net = layers.adopt(deployed(model))
    found = {f"{path}.weight" if path else "weight": layer for path, layer in layers.layers(net).items()}
    matrices = {path: layer for path, layer in found.items() if isinstance(layer, layers.Linear)}
    return layers.replace(net, {path: CompressedRows(numbers(layer.weight)) for path, layer in matrices.items()})


def speed(
    dense: nn.Module,
    pruned: nn.Module,
    thinner: nn.Module | None,
    image_shape: tuple[int, int, int],
    batches: Sequence[int] = (1, 256),
    rounds: int = ROUNDS,
) -> Table:
    """Time a dense network, the same with zeros, with zeros left out, and a thinner one, on this processor.

    `pruned` is a network with zeros, `thinner` one with fewer filters, or None. The table has bytes,
    multiplications and time, for each size of a batch, in turns and in one thread (see `labkit.timetable`).
    Raises ValueError for a batch below 1 or fewer than three rounds.

    >>> from labkit import zoo
    >>> from labkit.pruning import Magnitude
    >>> model = zoo.load("LeNet-300-100")
    >>> table = speed(model, Magnitude().prepare(model).at(0.9), None, (1, 28, 28), batches=(1,), rounds=3)
    >>> [row[0][0] for row in table.rows]
    ['dense', 'zeros in dense kernels', 'zeros left out (CSR)']
    """
    networks = {DENSE: dense, ZEROS: pruned, ROWS: pruned} | ({} if thinner is None else {THINNER: thinner})
    runs = {ROWS: compressed_rows(pruned)}
    return timetable("Zeros and time", networks, image_shape, batches, rounds, NOTE, runs)
