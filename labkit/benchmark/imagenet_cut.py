"""Cut the convolutions of a large network to the same share of their numbers, one by one, in little memory."""

from __future__ import annotations

from pathlib import Path

from torch import nn
from tqdm import tqdm

from labkit import layers, storage
from labkit.benchmark import catalogue
from labkit.methods import sound_leaves
from labkit.weights import Weight

# Methods whose numbers grow in proportion to the rank, and their arguments: CP's own limit is made for small networks.
METHODS = {"lowrank.Spatial": {}, "lowrank.CP": {"most": 10**6}, "lowrank.SVD": {}}


def convolutions(model: nn.Module) -> dict[str, Weight]:
    """Return the weights that are cut, by path: the kernels of all convolutions."""
    return {path: leaf for path, leaf in sound_leaves(model).items() if len(leaf.shape) == 4}


def cut(leaf: Weight, method: str, compression: float) -> Weight:
    """Return a weight at the largest rank that leaves 1 / compression of its numbers; the same where none does."""
    fit = catalogue.make(method, METHODS[method]).fit(leaf)
    lowest = fit.at(1) if fit.top else None
    rank = 0 if lowest is None else int(count(leaf) / compression / count(lowest))
    return fit.at(min(rank, fit.top)) if rank else leaf


def count(*weights: Weight) -> int:
    """Return how many numbers some weights store."""
    return sum(part.numel() for weight in weights for part in weight.parameters())


def compressed(model: nn.Module, method: str, compression: float, folder: Path) -> nn.Module:
    """Return the network with its convolutions cut; each is kept in a file, so that it is done once.

    The other layers are those of the model itself: two copies of VGG-16 would need a gigabyte.
    """
    folder.mkdir(parents=True, exist_ok=True)
    new = {}
    for path, leaf in tqdm(convolutions(model).items(), desc=f"{method} x {compression:g}", unit="layer"):
        file = folder / f"{path}.safetensors"
        if not file.exists():
            storage.save(nn.Sequential(layers.Conv2d(cut(leaf, method, compression))), file)
        (layer,) = storage.load(file)
        new[path] = layer.weight
    kept = {path: part for path, part in model.named_modules() if isinstance(part, Weight) and path not in new}
    return layers.replace(model, kept | new).eval().requires_grad_(False)


def cut_in(model: nn.Module, dense: nn.Module) -> list[Weight]:
    """Return what stands in a model for the weights that are cut."""
    return [model.get_submodule(path) for path in convolutions(dense)]
