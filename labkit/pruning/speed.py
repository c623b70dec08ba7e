"""The time that zeros really save: none in a dense kernel, some in a sparse one, most where filters are gone.

A processor multiplies a zero as fast as any other number. To pass over it, a sparse kernel reads a list of
positions, and jumps: that pays only where most numbers are zeros. A network with fewer filters is a smaller
dense network, and needs no other kernel. PyTorch has no sparse convolution, so the convolutions stay dense.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from labkit import layers, storage
from labkit.deploy import deployed
from labkit.latency import forward, in_turns, ratio_of
from labkit.macs import macs
from labkit.methods import numbers
from labkit.table import Cell, Table
from labkit.threads import threads
from labkit.weights import Weight, as_weight

ROUNDS, BUDGET_S = 15, 3.0  # for each batch size
DENSE, ZEROS, ROWS, THINNER = "dense", "zeros in dense kernels", "zeros left out (CSR)", "thinner"
NOTE = (
    "Multiplications are those on paper, for one picture; a dense kernel does all. CSR is for the fully connected\n"
    "layers, the convolutions stay dense. Time has its quartiles; × says how many times faster than dense, with the\n"
    "range of nine in ten rounds. Dense also runs against itself, the control: a ratio inside the control's range is\n"
    "not real, nor is one whose own range holds 1."
)


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

    `pruned` is a network with zeros, `thinner` one with fewer filters, or None. All are timed in turns as they
    would be deployed, the dense one twice as a control, for each size of a batch. They have one thread: on a
    busy machine, a sparse kernel with more can be many times slower. Bytes are those of the file. Raises
    ValueError for a batch below 1 or fewer than three rounds.

    >>> from labkit import zoo
    >>> from labkit.pruning import Magnitude
    >>> model = zoo.load("LeNet-300-100")
    >>> table = speed(model, Magnitude().prepare(model).at(0.9), None, (1, 28, 28), batches=(1,), rounds=3)
    >>> [row[0][0] for row in table.rows]
    ['dense', 'zeros in dense kernels', 'zeros left out (CSR)']
    """
    networks = {DENSE: dense, ZEROS: pruned, ROWS: pruned} | ({} if thinner is None else {THINNER: thinner})
    rows: dict[str, list[Cell]] = {
        name: [(name, ""), (f"{storage.size(net).total:,} bytes", ""), (f"{macs(net, image_shape):,}", "")]
        for name, net in networks.items()
    }
    columns = ["Network", "File", "Multiplications"]
    for batch in batches:
        works = {name: forward(net, image_shape, batch, "cpu") for name, net in networks.items()}
        works[ROWS] = forward(compressed_rows(pruned), image_shape, batch, "cpu")
        with threads(1):
            times = in_turns([*works.values(), works[DENSE]], rounds, budget_s=BUDGET_S)
        for name, cells in zip(works, _cells(times), strict=True):
            rows[name] += cells
        of = "1 picture" if batch == 1 else f"{batch:,} pictures"
        columns += [f"{of}: time", f"{of}: against dense"]
    caption = f"Zeros and time on this processor, one thread, PyTorch {torch.__version__}"
    blocks = [(1, 2), *((2 * index + 3, 2 * index + 4) for index in range(len(batches)))]
    return Table(caption, columns, list(rows.values()), NOTE, blocks)


def _cells(times: np.ndarray) -> list[list[Cell]]:
    """Return time and ratio of each column of times; the first is dense, and the last is dense again."""
    return [[_time(column), _ratio(times, index)] for index, column in enumerate(times.T[:-1])]


def _time(times: np.ndarray) -> Cell:
    q1, median, q3 = 1e3 * np.percentile(times, [25, 50, 75])
    return f"{median:.3g} ms", f"{q1:.3g} to {q3:.3g}"


def _ratio(times: np.ndarray, index: int) -> Cell:
    dense, again = times.T[0], times.T[-1]
    found = ratio_of(dense, again, again if index == 0 else times.T[index])
    verdict = ", control" if index == 0 else "" if found.real else ", not real"
    return f"× {found.value:.2f}", f"{found.low:.2f} to {found.high:.2f}{verdict}"
