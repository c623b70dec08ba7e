"""Two block-diagonal matrices with a fixed permutation between them: Dao 2022."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.weights.base import Weight, as_weight


class Monarch(Weight):
    """Two block-diagonal matrices and a permutation between them, through which every input reaches every output.

        W[(j, l), (k, i)] = second[j, l, k] first[k, j, i]

    `first` (k, j, i) has k blocks that read i inputs each and make j numbers; number j of each goes to block j
    of `second` (j, l, k), which makes l outputs. k i is `in` rounded up, j l is `out`; what reaches beyond `shape`
    (out, in) is cut off. With b = j = k blocks that is b (out + in) numbers, as many as rank b takes, while the
    rank of the matrix goes up to b^2. Raises ValueError for blocks that do not make `shape` (Dao 2022).

    >>> Monarch(torch.tensor([[[1.0]], [[2.0]]]), torch.tensor([[[3.0, 4.0]]]), (1, 2))().tolist()
    [[3.0, 8.0]]
    """

    inner = ("first", "second")

    def __init__(self, first: Weight | Tensor, second: Weight | Tensor, shape: tuple[int, ...]):
        super().__init__()
        self.first, self.second, self._shape = as_weight(first), as_weight(second), torch.Size(shape)
        one, two = tuple(self.first.shape), tuple(self.second.shape)
        fit = len(one) == len(two) == 3 and len(shape) == 2 and min(one + two) >= 1 and one[:2] == (two[2], two[0])
        if not fit or not _covers(two[0], two[1], shape[0]) or not _covers(one[0], one[2], shape[1]):
            raise ValueError(
                f"first {one} and second {two} make no matrix of shape {tuple(shape)}: they must be (k, j, in / k) and "
                "(j, out / j, k), rounded up"
            )

    @property
    def shape(self) -> torch.Size:
        return self._shape

    def forward(self) -> Tensor:
        whole = torch.einsum("jlk,kji->jlki", self.second(), self.first())
        return whole.flatten(2).flatten(0, 1)[: self.shape[0], : self.shape[1]]

    def linear(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        first, second = self.first(), self.second()
        k, _, i = first.shape
        flat = F.pad(x.reshape(-1, x.shape[-1]), (0, k * i - x.shape[-1])).view(-1, k, i)
        y = (flat.transpose(0, 1) @ first.mT).permute(2, 1, 0) @ second.mT  # j, picture, l
        y = y.transpose(0, 1).flatten(1)[:, : self.shape[0]].reshape(*x.shape[:-1], self.shape[0])
        return y if bias is None else y + bias

    def macs(self) -> int:
        return self.first.shape.numel() + self.second.shape.numel()


def _covers(blocks: int, side: int, whole: int) -> bool:
    """Say whether blocks of a side cover a whole, with no block more than it takes."""
    return blocks * side >= whole > blocks * (side - 1)
