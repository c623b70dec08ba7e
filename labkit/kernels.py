"""An operation in a form that PyTorch runs faster on a processor, with the same results."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class HalvingPool(nn.Module):
    """Max pooling of 2 x 2 squares side by side, as the maximum of four shifted pictures.

    PyTorch's own also writes where each maximum was, 8 bytes for each.

    >>> x = torch.arange(16.0).view(1, 1, 4, 4)
    >>> torch.equal(HalvingPool()(x), F.max_pool2d(x, 2))
    True
    """

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_cpu:
            return F.max_pool2d(x, 2)
        height, width = (side // 2 * 2 for side in x.shape[-2:])
        x = torch.maximum(x[..., 0:height:2, :], x[..., 1:height:2, :])
        return torch.maximum(x[..., 0:width:2], x[..., 1:width:2])


def halves(pool: nn.Module | None) -> bool:
    """Say whether a module is the max pooling that `HalvingPool` computes."""
    if type(pool) is not nn.MaxPool2d or pool.ceil_mode or pool.return_indices:
        return False
    pairs = (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
    return all(pair in (wanted, (wanted, wanted)) for pair, wanted in zip(pairs, (2, 2, 0, 1), strict=True))
