"""A rank of its own for each layer, chosen by hand or by a budget."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from labkit import layers
from labkit.data import Data
from labkit.lowrank.activation import ActivationSVD
from labkit.lowrank.cp import CP
from labkit.lowrank.spatial import Spatial
from labkit.lowrank.svd import SVD
from labkit.lowrank.tensortrain import TensorTrain
from labkit.lowrank.tucker import Tucker2

RANKED = (SVD, Spatial, Tucker2, CP, TensorTrain, ActivationSVD)  # whose knob is a rank


def method(base: SVD | str) -> SVD:
    """Return a method whose knob is a rank, given itself or its name; raise ValueError for another.

    >>> method("Spatial").title
    'Spatial scheme'
    """
    known = {kind.__name__: kind for kind in RANKED}
    if isinstance(base, str) and base in known:
        return known[base]()
    if isinstance(base, SVD) and base.knob.name == "rank":
        return base
    raise ValueError(f"base is {base!r}, but must be a method whose knob is a rank: one of {', '.join(known)}")


def cut(
    model: nn.Module, ranks: Mapping[str, int | None], base: SVD | str = "SVD", data: Data | None = None
) -> nn.Module:
    """Return a copy of a network with some layers cut, each to its own rank; None leaves a layer alone.

    Raises ValueError for a layer that does not exist, and for a rank with which it would not become smaller.

    >>> from labkit import zoo
    >>> small = cut(zoo.load("LeNet-300-100"), {"fc1": 40, "fc2": 20})
    >>> small.fc1.weight.u.shape, small.fc2.weight.u.shape, type(small.fc3.weight).__name__
    (torch.Size([300, 40]), torch.Size([100, 20]), 'Dense')
    """
    new = {}
    for layer, rank in ranks.items():
        if rank is None:
            continue
        fits = method(base).prepare(model, data, layer).fits
        if len(fits) != 1:
            raise ValueError(f"layer {layer!r} holds {len(fits)} matrices, and a rank is one's: cut it with `where`")
        ((path, fit),) = fits.items()
        if not (isinstance(rank, int) and 1 <= rank <= fit.top):
            raise ValueError(f"rank of {layer} is {rank!r}, but must be from 1 to {fit.top}, or None to leave it alone")
        new[path] = fit.at(rank)
    return layers.replace(model, new)
