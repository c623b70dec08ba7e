"""Which answers of a fast run in bfloat16 need a second look in float32.

A bfloat16 run is off by a small share of its largest output, and by how much is seen where both were
run. The answer can only be another one where the two largest outputs lie nearly as close together:

    in doubt:  z_1 - z_2 <= SAFETY * r * max |z|,   r = the largest |z - z'| / max |z| that was seen.

Largest errors are rare, so SAFETY is generous. Nothing is in doubt in most pictures, and float32 is
run on the others alone.
"""

from __future__ import annotations

from torch import Tensor

SAFETY = 8.0
MOST = 0.8  # where more than this share is in doubt, the fast run saves nothing


def rounding(fast: Tensor, exact: Tensor) -> float:
    """Return the largest error of fast outputs (n, classes) as a share of their picture's largest output.

    >>> import torch
    >>> rounding(torch.tensor([[4.0, 1.0]]), torch.tensor([[4.0, 2.0]]))
    0.25
    """
    error = (fast.float() - exact.float()).abs().amax(1)
    return float((error / _scale(fast)).nan_to_num(1.0).max())


def doubtful(fast: Tensor, share: float) -> Tensor:
    """Say for each row of fast outputs (n, classes) whether rounding by this share could change its answer.

    >>> import torch
    >>> doubtful(torch.tensor([[4.0, 1.0], [4.0, 3.9]]), 0.01).tolist()
    [False, True]
    """
    first, second = fast.float().topk(2, dim=1).values.unbind(1)
    return ~(first - second > SAFETY * share * _scale(fast))  # so that NaN is in doubt, too


def _scale(outputs: Tensor) -> Tensor:
    return outputs.float().abs().amax(1).clamp_min(1e-30)
