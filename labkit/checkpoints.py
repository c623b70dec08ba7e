"""How the shipped networks were trained, and the training that makes them again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from labkit import zoo
from labkit.benchmark import catalogue
from labkit.data import Data
from labkit.data import load as load_data
from labkit.files import write
from labkit.layers import Layer, adopt
from labkit.measure import accuracy
from labkit.orbits import OrbitBias, OrbitNorm
from labkit.train import Progress, Recipe, Trainer

_MOVED = Recipe(epochs=40, shift=1, weight_decay=1e-4)
_CONVOLUTION = Recipe(epochs=15, shift=2, learning_rate=0.05)
_UPRIGHT = Recipe(epochs=40, shift=1, flip=True, weight_decay=1e-4)
_DEEP = Recipe(epochs=10, shift=2, flip=True)

RECIPES: dict[tuple[str, str, str], Recipe] = {
    ("LeNet-300-100", "MNIST", ""): _MOVED,
    ("LeNet-300-100", "MNIST", "plain"): Recipe(epochs=10, learning_rate=0.05, weight_decay=1e-4),
    ("LeNet-300-100", "FashionMNIST", ""): _UPRIGHT,
    ("LeNet-5", "MNIST", ""): _CONVOLUTION,
    ("LeNet-5", "MNIST", "plain"): Recipe(epochs=6, learning_rate=0.02),
    ("LeNet-5", "FashionMNIST", ""): Recipe(epochs=20, shift=1, flip=True, learning_rate=0.05),
    ("VGG", "FashionMNIST", ""): _DEEP,
    ("VGG", "MNIST", ""): Recipe(epochs=2, shift=2),
    ("VGG-wide", "FashionMNIST", ""): _DEEP,
    ("MLP-2x1200", "MNIST", ""): Recipe(epochs=60, learning_rate=0.05, shift=2, weight_decay=0, max_norm=4),
    ("ResNet-20", "FashionMNIST", ""): Recipe(epochs=14, shift=2, flip=True),
    ("ResNet-20", "MNIST", ""): Recipe(epochs=2, shift=2),
    ("Z2CNN", "MNIST-rotated", ""): Recipe(epochs=20),
    ("P4CNN", "MNIST-rotated", ""): Recipe(epochs=20),
}
# Networks that are trained under a rule, and then written out: the method and the value of its knob.
RULES: dict[str, tuple[str, float]] = {"P4CNN": ("filters.P4", 4)}


def train(
    name: str,
    data: str = "FashionMNIST",
    variant: str = "",
    root: Path = zoo.CHECKPOINTS,
    recipe: Recipe | None = None,
    device: str = "cpu",
) -> Iterator[Progress]:
    """Train a network of the zoo into its checkpoint and card, going on where an earlier run stopped.

    After each epoch the state is written beside the checkpoint, with the ending .partial.
    Raises ValueError where no recipe is known.
    """
    recipe = recipe or RECIPES.get((name, data, variant))
    if recipe is None:
        known = "; ".join(" ".join(filter(None, key)) for key in RECIPES)
        raise ValueError(f"no recipe is known for {name} {data} {variant}: there are {known}")
    images = load_data(data)
    torch.manual_seed(recipe.seed)
    network = untrained(name, images)
    trainer = Trainer(network, images, recipe, device=device)
    target = zoo.checkpoint(name, data, variant, root)
    partial = target.with_suffix(".partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    _resume(trainer, partial)
    for progress in trainer.run():
        if progress.epoch * (trainer.steps // recipe.epochs) == progress.step:
            write(partial, _bytes(trainer.state(), {"recipe": json.dumps(trainer.describe())}))
        yield progress
    write(target, _bytes(written_out(network.cpu())))
    about = describe(trainer, images, target, name, variant)
    write(target.with_suffix(".json"), json.dumps(about, indent=1).encode() + b"\n")
    partial.unlink(missing_ok=True)


def untrained(name: str, data: Data) -> nn.Module:
    """Return the network that is to be trained: one of the zoo, under its rule where it has one."""
    network = zoo.build(name, data.image_shape, len(data.classes)).to(memory_format=torch.channels_last)
    if name not in RULES:
        return network
    method, value = RULES[name]
    return catalogue.make(method, {"start": "random"}).prepare(adopt(network), data).at(value)


@torch.no_grad()
def written_out(network: zoo.Network) -> dict[str, Tensor]:
    """Return the numbers of a network as a plain one holds them: every weight dense, every map normalised for itself.

    >>> list(written_out(zoo.load("LeNet-5")))[:2]
    ['conv1.weight', 'conv1.bias']
    """
    found = network.state_dict()
    for path, module in network.named_modules():
        if isinstance(module, Layer):
            found |= {f"{path}.weight": module.weight()}
        elif isinstance(module, OrbitNorm):
            parts = ("weight", "bias", "running_mean", "running_var")
            found |= {f"{path}.{part}": getattr(module, part) for part in parts}
            found[f"{path}.num_batches_tracked"] = module.norm.num_batches_tracked
        elif isinstance(module, OrbitBias):
            found[path] = module.values.repeat_interleave(module.turns)
    # A convolution whose bias is that of an orbit is a row of two.
    names = {name: name if name in found else name.replace(".weight", ".conv.weight") for name in _names(network)}
    return {name: found[held] for name, held in names.items()}


def _names(network: zoo.Network) -> list[str]:
    with torch.device("meta"):
        return list(zoo.build(*network.origin).state_dict())


def _resume(trainer: Trainer, partial: Path) -> None:
    """Restore an unfinished run of the same recipe; raise ValueError for anything else."""
    if not partial.exists():
        return
    try:
        with safe_open(partial, "pt") as file:
            if json.loads((file.metadata() or {}).get("recipe", "null")) != trainer.describe():
                raise ValueError("it was made by another recipe")
        trainer.restore(load_file(partial))
    except (OSError, SafetensorError, KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{partial} does not fit this run ({error}): delete it to start from the beginning") from error


def describe(trainer: Trainer, data: Data, path: Path, name: str, variant: str) -> dict:
    """Return a checkpoint's card: what it is, how it was made and how good it is."""
    model = trainer.model
    results = {split: accuracy(model, data, split) for split in ("validation", "test")}
    return {
        "network": name,
        "data": data.name,
        "variant": variant,
        "image_shape": list(data.image_shape),
        "classes": len(data.classes),
        "parameters": zoo.parameters(model),
        "recipe": trainer.describe(),
        **({"rule": list(RULES[name])} if name in RULES else {}),
        "train_images": len(data.train),
        "accuracy": {split: round(result.value, 6) for split, result in results.items()},
        "images": {"validation": len(data.validation), "test": len(data.test)},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _bytes(tensors: dict, metadata: dict | None = None) -> bytes:
    """Return named tensors as a safetensors file."""
    return save_tensors({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata)
