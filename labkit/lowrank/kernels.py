"""What the methods for convolutions share: a matrix has no kernel to take apart, and gets a truncated SVD."""

from __future__ import annotations

from torch import Tensor

from labkit.lowrank.svd import SVD, RankFit
from labkit.methods import numbers
from labkit.weights import Weight


class KernelMethod(SVD):
    """A method that says how to take a convolution's kernel apart; the other layers are cut as matrices.

    A subclass fills its card and defines `fit_kernel`.
    """

    def fit(self, leaf: Weight) -> RankFit:
        values = numbers(leaf).cpu()
        if values.ndim == 4 and values[0, 0].numel() > 1:
            return self.fit_kernel(values)
        return super().fit(leaf)

    def fit_kernel(self, kernel: Tensor) -> RankFit:
        """Prepare a kernel (out, in, height, width), float32, that is larger than 1 x 1."""
        raise NotImplementedError(f"{type(self).__name__} must say how it takes a kernel apart")
