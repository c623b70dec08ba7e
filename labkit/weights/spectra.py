"""What Weights share that multiply by FFT: their spectra, which a network that is not trained needs only once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from labkit.weights.base import Weight


def fft_macs(n: int) -> int:
    """Count the multiplications of an FFT of n real numbers: n log2 n, those of radix 2.

    The complex FFT has n / 2 log2 n butterflies with a complex product each, four real ones; real numbers take half.

    >>> fft_macs(8)
    24
    """
    return round(n * math.log2(n)) if n > 1 else 0


class Spectral(Weight):
    """A matrix whose product is computed from the spectra of what it stores.

    A subclass says what can be computed before any picture comes, in `spectra`, and how a picture is multiplied,
    in `multiply`. `frozen` computes the former once; while a network is trained, every product does.
    """

    def __init__(self):
        super().__init__()
        # Not a buffer: it follows from what is stored, so no file holds it.
        self._spectra: tuple[Tensor, ...] | None = None

    def spectra(self) -> tuple[Tensor, ...]:
        """Compute what does not depend on a picture."""
        raise NotImplementedError(f"{type(self).__name__} must compute its spectra")

    def multiply(self, x: Tensor, *spectra: Tensor) -> Tensor:
        """Multiply: x (pictures, in) becomes (pictures, out)."""
        raise NotImplementedError(f"{type(self).__name__} must multiply")

    def linear(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        spectra = self.spectra() if self._spectra is None else self._spectra
        y = self.multiply(x.reshape(-1, x.shape[-1]), *spectra).reshape(*x.shape[:-1], self.shape[0])
        return y if bias is None else y + bias

    @torch.no_grad()
    def frozen(self) -> Weight:
        fixed = super().frozen()
        fixed._spectra = tuple(spectrum.contiguous() for spectrum in self.spectra())
        return fixed
