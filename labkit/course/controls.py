"""Controls: what must do worse, if a method works for the reason that is given."""

from __future__ import annotations

import copy

import torch
from torch import nn

from labkit.weights import Weight


def shuffled(model: nn.Module, seed: int = 0) -> nn.Module:
    """Return a copy in which the codes of each weight are shuffled: same histogram, same entropy, other places.

    Raises ValueError where there are no codes to shuffle.

    >>> from labkit import zoo
    >>> from labkit.quantization import KMeans
    >>> small = KMeans().prepare(zoo.load("LeNet-300-100")).at(2)
    >>> one, other = small.fc1.weight.codes, shuffled(small).fc1.weight.codes
    >>> torch.equal(one, other), torch.equal(one.flatten().sort().values, other.flatten().sort().values)
    (False, True)
    """
    model, random = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    coded = [module for module in model.modules() if isinstance(module, Weight) and hasattr(module, "codes")]
    if not coded:
        raise ValueError("the model has no codes to shuffle: quantize it first, for example with KMeans")
    for weight in coded:
        order = torch.randperm(weight.codes.numel(), generator=random)
        weight.codes = weight.codes.flatten()[order].view(weight.codes.shape)
    return model
