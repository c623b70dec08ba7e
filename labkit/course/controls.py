"""Controls: what must do worse, if a method works for the reason that is given."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from labkit import layers
from labkit.thinner import as_new, bias_as_new
from labkit.weights import Dense, Sparse, Weight


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


def shuffled_entries(model: nn.Module, seed: int = 0) -> nn.Module:
    """Return a copy in which the numbers of each dense weight are shuffled: same histogram, no structure.

    Its singular values are those of noise: for a matrix (m, n) of variance v they end near
    sqrt(v) (sqrt(m) + sqrt(n)) (Marchenko 1967). Raises ValueError where no layer is dense.

    >>> from labkit import zoo
    >>> model = zoo.load("LeNet-300-100")
    >>> control = shuffled_entries(model)
    >>> torch.linalg.matrix_norm(model.fc1.weight(), 2).item() > 2 * torch.linalg.matrix_norm(control.fc1.weight(), 2)
    tensor(True)
    """
    model, random = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    dense = [layer.weight for layer in layers.layers(model).values() if isinstance(layer.weight, Dense)]
    if not dense:
        raise ValueError("the model has no dense weight to shuffle: give the network before it is compressed")
    for weight in dense:
        flat = weight.values.detach().flatten()
        order = torch.randperm(len(flat), generator=random).to(flat.device)
        weight.values.data = flat[order].view(weight.values.shape)
    return model


def random_mask(pruned: nn.Module, original: nn.Module, seed: int = 0) -> nn.Module:
    """Return a copy of the pruned network with as many survivors in each layer, but at positions drawn by lot.

    They have the values that the original has there; all else is the pruned network's. Raises ValueError
    where nothing is pruned, and where the original has other layers.

    >>> from labkit import zoo
    >>> from labkit.pruning import Magnitude
    >>> model = zoo.load("LeNet-300-100")
    >>> small = Magnitude().prepare(model).at(0.9)
    >>> control = random_mask(small, model)
    >>> len(control.fc1.weight.positions) == len(small.fc1.weight.positions)
    True
    """
    random, new = torch.Generator().manual_seed(seed), {}
    for path, weight in _sparse(pruned).items():
        try:
            before = original.get_submodule(path)
        except AttributeError as error:
            raise ValueError(f"the original has no {path}: give the network that was pruned") from error
        if not isinstance(before, Weight) or before.shape != weight.shape:
            raise ValueError(f"{path} has another shape in the original: give the network that was pruned")
        order = torch.randperm(weight.shape.numel(), generator=random)
        positions = order[: len(_survivors(weight))].sort().values.to(weight.positions.device)
        new[path] = Sparse(positions, before.take(positions), tuple(weight.shape))
    return copy.deepcopy(layers.replace(pruned, new))  # a codebook in it may still be the original's


def reinitialised(pruned: nn.Module, seed: int = 0) -> nn.Module:
    """Return a copy with the same zeros, in which all else is drawn anew, as torch draws a new network.

    Weights and biases lie evenly between -1 / sqrt(n) and 1 / sqrt(n), n the inputs of a unit if none were
    pruned; batch normalisation starts again. What is neither dense nor pruned stays. Raises ValueError where
    no layer is pruned.

    >>> from labkit import zoo
    >>> from labkit.pruning import Magnitude
    >>> small = Magnitude().prepare(zoo.load("LeNet-300-100")).at(0.9)
    >>> control = reinitialised(small)
    >>> torch.equal(control.fc1.weight.positions, small.fc1.weight.positions)
    True
    >>> torch.equal(control.fc1.weight(), small.fc1.weight())
    False
    """
    _sparse(pruned)
    model, random = copy.deepcopy(pruned), torch.Generator().manual_seed(seed)
    for layer in layers.layers(model).values():
        if isinstance(layer.weight, Sparse | Dense):
            layer.weight = _with_zeros(layer.weight, as_new(layer.weight.shape, random))
            if layer.bias is not None:
                layer.bias.data.copy_(bias_as_new(layer.weight.shape, random))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()
    return model


def _sparse(model: nn.Module) -> dict[str, Sparse]:
    """Map paths to the Sparse Weights of a model, those inside another left out."""
    found: dict[str, Sparse] = {}
    for path, part in model.named_modules():
        if isinstance(part, Sparse) and not any(path.startswith(f"{outer}.") for outer in found):
            found[path] = part
    if not found:
        raise ValueError("nothing is pruned in the model: prune it first, for example with Magnitude")
    return found


def _survivors(weight: Sparse) -> Tensor:
    """Return the positions of what is left of a Sparse, pruned once or again."""
    return weight.positions[_survivors(weight.values)] if isinstance(weight.values, Sparse) else weight.positions


def _with_zeros(weight: Sparse | Dense, drawn: Tensor) -> Sparse | Dense:
    """Return new numbers where the weight has some."""
    if isinstance(weight, Dense):
        return Dense(drawn.to(weight.values.device))
    positions = _survivors(weight)
    return Sparse(positions, drawn.to(positions.device).flatten()[positions], tuple(weight.shape))
