"""The lab's networks by name, and their trained checkpoints."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import nn

from labkit.data import ROOT
from labkit.layers import adopt
from labkit.networks import NETWORKS, Network

CHECKPOINTS = ROOT / "checkpoints"
FASHION_SHAPE = (1, 28, 28)


def build(name: str, shape: tuple[int, int, int] = FASHION_SHAPE, classes: int = 10) -> Network:
    """Return an untrained network by name, for pictures of (channels, height, width).

    Raises ValueError for an unknown name or a picture too small for the network.

    >>> sum(p.numel() for p in build("LeNet-5").parameters())
    431080
    """
    if name not in NETWORKS:
        raise ValueError(f"network {name!r} is unknown: choose one of {', '.join(NETWORKS)}")
    if min(shape[1:]) < 16:
        raise ValueError(f"pictures of {shape[1]} x {shape[2]} pixels are too small for {name}: use at least 16 x 16")
    network = NETWORKS[name](tuple(shape), classes)
    network.origin = (name, tuple(shape), classes)
    return network


def checkpoint(name: str, data: str, variant: str = "", root: Path = CHECKPOINTS) -> Path:
    """Return where the trained network lies; its card lies beside it, with the ending .json."""
    return Path(root) / data / f"{name}{'-' + variant if variant else ''}.safetensors"


def available(root: Path = CHECKPOINTS) -> list[tuple[str, str, str]]:
    """List the trained networks as (name, data set, variant)."""
    cards = [json.loads(path.read_text()) for path in sorted(Path(root).glob("*/*.json"))]
    return [(card["network"], card["data"], card["variant"]) for card in cards]


def card(name: str, data: str, variant: str = "", root: Path = CHECKPOINTS) -> dict:
    """Return how a network was trained: recipe, seed, versions, accuracy on validation and test."""
    path = checkpoint(name, data, variant, root).with_suffix(".json")
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        known = ", ".join(" ".join(filter(None, entry)) for entry in available(root))
        raise FileNotFoundError(f"no trained {name} for {data} at {path}: there are {known or 'none'}") from error


def load(name: str, data: str = "FashionMNIST", variant: str = "", root: Path = CHECKPOINTS) -> Network:
    """Return a trained network that holds Weights, ready to be compressed, in evaluation mode.

    Raises FileNotFoundError with what there is, and ValueError where the file is damaged.

    >>> type(load("LeNet-5").fc1.weight).__name__
    'Dense'
    """
    about = card(name, data, variant, root)
    network = build(name, tuple(about["image_shape"]), about["classes"])
    path = checkpoint(name, data, variant, root)
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != about["sha256"]:
            raise OSError("its hash is not the one on its card")
        network.load_state_dict(load_tensors(content))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}): restore it with git, or train it with `labkit train {name}`"
        ) from error
    adopted = adopt(network).eval()
    adopted.origin = network.origin
    return adopted


def parameters(model: nn.Module) -> int:
    """Count the numbers that training moves.

    >>> parameters(build("LeNet-300-100"))
    266610
    """
    return sum(parameter.numel() for parameter in model.parameters())
