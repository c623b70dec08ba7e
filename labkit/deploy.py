"""A network as it would be deployed: dense weights computed once, thin products left thin."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from labkit.folding import CannotFold, behind, fold, folded, plain_layer
from labkit.layers import Conv2d, Linear
from labkit.weights import Chain, Dense, LowRank, Weight


def deployed(model: nn.Module) -> nn.Module:
    """Return the network as it would be deployed: like `fold`, but thin products stay thin.

    A LowRank and any other chain becomes its thin layers; another Weight with a fast product of its own keeps it. Every
    other one is computed once and is dense. A network that cannot be folded comes back as a copy.

    >>> from labkit.weights import LowRank
    >>> thin = Linear(LowRank(torch.ones(4, 1), torch.ones(1, 3), (4, 3)))
    >>> deployed(nn.Sequential(thin)).get_submodule("0")
    Sequential(
      (0): Linear(in_features=3, out_features=1, bias=False)
      (1): Linear(in_features=1, out_features=4, bias=False)
    )
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)
    try:
        net, sources = fold(model)
    except CannotFold:
        return model
    for source in sources:
        origin = model.get_submodule(source.path)
        norm = model.get_submodule(source.norm) if source.norm else None
        fast = _fast(origin, source.layer.bias, norm)
        if fast is not None:
            net.set_submodule(source.path, fast)
    return net.requires_grad_(False).to(memory_format=torch.channels_last)


def _fast(origin: nn.Module, bias: Tensor | None, norm: nn.Module | None) -> nn.Module | None:
    """Return what multiplies faster than the dense layer; None where nothing does."""
    weight, grid = origin.weight, getattr(origin, "grid", None)
    if isinstance(origin, Conv2d) and isinstance(weight, Chain) and weight.applies(origin.groups, origin.padding):
        return behind(grid, nn.Sequential(*_thin_convolutions(origin, bias, norm)))
    if isinstance(origin, Linear) and isinstance(weight, LowRank):
        u, _ = folded(weight.u(), None, norm)
        v = weight.v().detach()
        return behind(grid, nn.Sequential(_linear(v, None), _linear(u, bias)))
    product = "linear" if isinstance(origin, Linear) else "conv2d"
    if not isinstance(weight, Weight) or getattr(type(weight), product) is getattr(Weight, product) or norm is not None:
        return None
    origin.weight = weight.frozen()
    return origin


def _thin_convolutions(origin: Conv2d, bias: Tensor | None, norm: nn.Module | None) -> Iterator[nn.Conv2d]:
    """Make the plain layers of a chain; a batch normalisation behind it is folded into the last one."""
    chain = origin.weight.thin()
    for thin in chain:
        last = thin is chain[-1]
        numbers, _ = folded(thin.numbers, None, norm if last else None)
        moves = thin.along(origin.stride, 1), thin.along(origin.padding, 0), thin.along(origin.dilation, 1)
        layer = Conv2d(Dense(numbers), None, *moves, thin.groups, origin.padding_mode)
        yield plain_layer(layer, numbers, bias if last else None)


def _linear(numbers: Tensor, bias: Tensor | None) -> nn.Module:
    return plain_layer(Linear(Dense(numbers)), numbers, bias)
