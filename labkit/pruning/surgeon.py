"""One operation of Optimal Brain Surgeon: some weights of a layer go, and the others make up for them.

A row w of a layer (a filter) reads the inputs x. If it changes by d, its output changes by d' H d in the mean
square, H = mean x x'. Where the weights S go, d_S = -w_S, and the best change of those that stay, K, has slope zero:

    d_K = (H_KK)^-1 H_KS w_S,                            a matrix of |K|^2 for each row, or
    d_K = -[H^-1]_KS ([H^-1]_SS)^-1 w_S,                 a matrix of |S|^2, by the inverse in blocks;
    L_q = w_q^2 / (2 [(H_KK)^-1]_qq),                    what the next weight q would cost, and there
    [(H_KK)^-1]_qq = [H^-1]_qq - [H^-1]_qS ([H^-1]_SS)^-1 [H^-1]_Sq.

Where S is one weight, the second line is the step of Hassibi 1993, and the third the paper's saliency, which is
half of the squared change. All rows share H, so that H^-1 is computed once.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

DAMPING = 0.01  # of the mean square of an input
CHUNK = 1 << 19  # numbers in the matrices of rows that are solved together: they stay in the processor's cache
SMALLEST = 1e-30  # what the costs of a layer whose output is always 0 are divided by
TURN = 0.55  # the share of weights left below which a matrix of |K|^2 is cheaper


class Operation:
    """One weight while it is cut: its rows, which of their numbers are kept, and what each of these would cost.

    `values` (out, ...) are the weights, `kept` (out, ...) is false for those that are zero already, and `grams`
    (groups, inputs, inputs) is H for each group of rows. `costs` (flat, as long as `values`) is L as a share of
    the mean square of the whole output, and -1 for what is gone; a weight whose input is always 0 costs nothing.

    >>> gram = torch.tensor([[3.0, 0.0], [0.0, 0.0]])
    >>> operation = Operation(torch.eye(2), torch.ones(2, 2, dtype=torch.bool), gram[None])
    >>> operation.costs.round(decimals=2).tolist()
    [0.5, 0.0, 0.0, 0.0]
    """

    def __init__(self, values: Tensor, kept: Tensor, grams: Tensor):
        self.whole = values.reshape(len(grams), -1, grams.shape[-1])
        self.grams = [damped(part) for part in grams]
        self.inverses = [inverted(part) for part in self.grams]
        energy = float(((self.whole @ grams) * self.whole).sum(dtype=torch.float64))
        self.scale = (grams.diagonal(dim1=1, dim2=2) > 0)[:, None] / max(energy, SMALLEST)
        self.cut(kept)

    def cut(self, kept: Tensor, price: bool = True) -> None:
        """Keep these numbers alone, and move them to their best places; without `price` the costs stay as they were."""
        self.kept = kept.reshape(self.whole.shape)
        parts = zip(self.whole, self.kept, self.grams, self.inverses, strict=True)
        rows, costs = zip(*(compensate(*part, price) for part in parts), strict=True)
        self.rows = torch.stack(rows)
        if price:
            self.costs = (torch.stack(costs) * self.scale).flatten()
        self.costs = self.costs.masked_fill(~self.kept.flatten(), -1)


def damped(gram: Tensor) -> Tensor:
    """Add 1 % of the mean of the diagonal to it: H can be inverted, and no weight moves far for a small gain.

    Where nothing was ever read, ones are added.

    >>> damped(torch.tensor([[150.0, 1.0], [1.0, 50.0]])).tolist()
    [[151.0, 1.0], [1.0, 51.0]]
    """
    mean = float(gram.diagonal().mean())
    return gram + (DAMPING * mean or 1.0) * torch.eye(len(gram), dtype=gram.dtype)


def inverted(gram: Tensor) -> Tensor:
    """Invert a symmetric, positive definite matrix; in float64, since the blocks of the inverse are subtracted.

    >>> inverted(torch.tensor([[2.0, 1.0], [1.0, 1.0]])).round().tolist()
    [[1.0, -1.0], [-1.0, 2.0]]
    """
    return torch.cholesky_inverse(torch.linalg.cholesky(gram.double())).to(gram.dtype)


def compensate(rows: Tensor, kept: Tensor, gram: Tensor, inverse: Tensor, price: bool = True) -> tuple[Tensor, Tensor]:
    """Remove all but the `kept` weights of each row, move these to their best places, and price the next to go.

    `rows` (n, d) are the weights, `kept` (n, d) is true for K, `gram` (d, d) is H and `inverse` is H^-1. Returns
    the new rows, with zeros in S, and L, (n, d), with -1 in S, in squared output. Without `price`, which takes
    most of the time while few weights are gone, L is -1 throughout (Hassibi 1993).

    >>> gram = torch.tensor([[2.0, 1.0], [1.0, 1.0]])
    >>> found = compensate(torch.tensor([[1.0, 3.0]]), torch.tensor([[True, False]]), gram, inverted(gram))
    >>> [part.round(decimals=3).tolist() for part in found]
    [[[2.5, 0.0]], [[6.25, -1.0]]]
    """
    padded, inverse = F.pad(gram, (0, 1, 0, 1)), F.pad(inverse, (0, 1, 0, 1))
    new, prices = torch.zeros_like(rows), torch.full_like(rows, -1)
    for chunk in _chunks(kept):
        w, k = F.pad(rows[chunk], (0, 1)), F.pad(kept[chunk], (0, 1))
        if k.sum(1).max() <= TURN * rows.shape[1]:
            w, diagonal = _by_kept(w, k, padded)
        else:
            w, diagonal = _by_removed(w, k, inverse, price)
        new[chunk] = w[:, :-1]
        if price:
            prices[chunk] = (w.square() / (2 * diagonal))[:, :-1]
    return new.masked_fill_(~kept, 0), prices.masked_fill_(~kept, -1)


def _by_kept(rows: Tensor, kept: Tensor, gram: Tensor) -> tuple[Tensor, Tensor]:
    """d_K = (H_KK)^-1 H_KS w_S, and the diagonal of (H_KK)^-1."""
    at, blocks = _cut(gram, kept)
    solved = torch.cholesky_inverse(torch.linalg.cholesky(blocks))
    pull = (rows.masked_fill(kept, 0) @ gram).gather(1, at)
    step = torch.zeros_like(rows).scatter(1, at, (solved @ pull[..., None])[..., 0])
    return rows + step, torch.ones_like(rows).scatter(1, at, solved.diagonal(dim1=1, dim2=2))


def _by_removed(rows: Tensor, kept: Tensor, inverse: Tensor, price: bool) -> tuple[Tensor, Tensor]:
    """d = -[H^-1]_:S ([H^-1]_SS)^-1 w_S, and the diagonal that is left of H^-1; [H^-1]_SS = L L'."""
    at, blocks = _cut(inverse, ~kept)
    root = torch.linalg.cholesky(blocks)
    pull = torch.cholesky_solve(rows.gather(1, at)[..., None], root)[..., 0]
    rows = rows - torch.zeros_like(rows).scatter(1, at, pull) @ inverse
    if not price:
        return rows, rows
    return rows, inverse.diagonal() - torch.linalg.solve_triangular(root, inverse[at], upper=False).square().sum(1)


def _cut(matrix: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Cut out of a matrix, for each row of a mask, the rows and columns where it is true: their places and the block.

    Rows with fewer of them than others are filled up with the last column, which holds zeros, and a diagonal of one.
    """
    last = len(matrix) - 1
    real, at = mask.to(torch.uint8).sort(dim=1, descending=True, stable=True)
    most = int(mask.sum(1).max())
    at = at[:, :most].masked_fill(real[:, :most] == 0, last)
    blocks = matrix[at[:, :, None], at[:, None, :]]
    blocks.diagonal(dim1=1, dim2=2).masked_fill_(at == last, 1)
    return at, blocks


def _chunks(kept: Tensor) -> list[Tensor]:
    """Split the rows, in the order of how many weights they keep, so that the matrices of a chunk are small."""
    counts, order = kept.sum(1).sort(stable=True)
    few = counts <= TURN * kept.shape[1]
    size = torch.where(few, counts.square(), (kept.shape[1] - counts) * kept.shape[1])
    number = (size.cumsum(0) - size) // CHUNK
    number += ~few * (number[-1] + 1)  # none of the few among the many
    return list(order.split(number.unique_consecutive(return_counts=True)[1].tolist()))
