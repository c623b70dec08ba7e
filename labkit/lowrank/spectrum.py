"""The picture that all methods of this section share: a spectrum, where it is cut, and the energy kept."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from labkit.methods import Picture


def energy(s: Tensor, rank: int) -> float:
    """Return the share of the squared norm that the `rank` largest of the singular values s (k,) hold.

    >>> import torch
    >>> energy(torch.tensor([3.0, 4.0]).sort(descending=True).values, 1)
    0.64
    """
    return float(energies(s)[:rank].amax()) if rank else 0.0


def energies(s: Tensor) -> Tensor:
    """Return the share of the squared norm that the largest 1, 2, ... k of the singular values s (k,) hold."""
    squares = s.double().square()
    return squares.cumsum(0) / squares.sum().clamp_min(1e-300)


def spectrum(s: Tensor, rank: int, name: str, pays: bool = True, of: str = "singular value") -> Picture:
    """Draw the singular values s (k,) of a layer and their cut at a rank; uncut where the rank does not pay.

    >>> import torch
    >>> print(spectrum(torch.tensor([2.0, 1.0]), 1, "fc1").title)
    fc1: rank 1 of 2 keeps 80.0 % of the energy
    """
    title = f"{name}: rank {rank} of {len(s)} keeps {100 * energy(s, rank):.1f} % of the energy"
    if not pays:
        title = f"{name}: left alone, rank {rank} would store more than the layer"
    return Picture(
        kind="spectrum",
        title=title,
        x=f"index of the {of}",
        y=of,
        values=s.numpy(),
        marks=np.array([rank if pays else len(s)]),
        share=energies(s).numpy(),
        text=f"{of.capitalize()}s of {name}, falling from {s[0]:.3g} to {s[-1]:.3g}. {title}.",
    )
