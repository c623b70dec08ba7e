"""Networks to save, and what must hold of each."""

import torch
from torch import nn

from labkit import layers, zoo
from labkit.lowrank import SVD
from labkit.pruning import HashedNets, Magnitude
from labkit.quantization import KMeans, Uniform
from labkit.storage import load, save, size


def bits(tensor):
    tensor = tensor.detach().contiguous()
    return (
        tensor.view({4: torch.int32, 2: torch.int16, 8: torch.int64}[tensor.element_size()])
        if tensor.is_floating_point()
        else tensor
    )


def assert_same(one: nn.Module, other: nn.Module):
    """Same tensors in the same places, of the same types, with the same bits."""
    first, second = one.state_dict(), other.state_dict()
    assert list(first) == list(second)
    for name, tensor in first.items():
        assert tensor.dtype == second[name].dtype and torch.equal(bits(tensor), bits(second[name])), name
    kinds = [(path, type(module)) for path, module in one.named_modules()]
    assert kinds == [(path, type(module)) for path, module in other.named_modules()]
    moved = [name for name, _ in one.named_parameters()]
    assert moved == [name for name, _ in other.named_parameters()]


def saved_and_loaded(model, folder, into=None):
    """Save, check all that `size` promises, and load."""
    path = folder / "model.safetensors"
    before = size(model)
    written = save(model, path)
    assert written == before.total == sum(before.parts.values()) == path.stat().st_size
    assert before == size(model)
    again = load(path, into)
    assert not any(module.training for module in again.modules())
    assert size(again) == before
    return again


ROUTES = {
    "dense": lambda model: model,
    "pruned": lambda model: Magnitude("layer").prepare(model).at(0.9),
    "clustered": lambda model: KMeans().prepare(model).at(3),
    "pruned, then clustered": lambda model: KMeans().prepare(Magnitude("layer").prepare(model).at(0.9)).at(3),
    "factorised": lambda model: SVD().prepare(model, where="fc2").at(4),
    "factorised, then clustered": lambda model: KMeans().prepare(SVD().prepare(model, where="fc2").at(4)).at(4),
    "on a grid": lambda model: Uniform().prepare(model).at(4),
    "pruned, then on a grid": lambda model: (
        Uniform(symmetric=False).prepare(Magnitude("layer").prepare(model).at(0.9)).at(3)
    ),
    "clustered, then pruned": lambda model: Magnitude("layer").prepare(KMeans().prepare(model).at(2)).at(0.5),
    "hashed": lambda model: HashedNets().prepare(model).at(1 / 8),
    "hashed, then clustered": lambda model: KMeans().prepare(HashedNets().prepare(model).at(1 / 8)).at(4),
    "factorised, then hashed": lambda model: HashedNets().prepare(SVD().prepare(model, where="fc2").at(4)).at(1 / 4),
}


def network(name, seed=0):
    """An untrained network of the zoo, with statistics that are not those of a new batch normalisation."""
    torch.manual_seed(seed)
    built = zoo.build(name)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.num_batches_tracked += 7
    return layers.adopt(built).eval()
