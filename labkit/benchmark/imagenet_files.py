"""What `labkit imagenet` reads: a torchvision network's weights from a .safetensors file, and ImageNet's pictures.

No pickle is ever loaded, so torchvision's own download is converted once, where it is trusted:

    weights = torchvision.models.vgg16(weights="DEFAULT").state_dict()
    safetensors.torch.save_file(weights, "vgg16.safetensors")
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from labkit._torchvision import torchvision
from labkit.layers import adopt

NETWORKS = ("alexnet", "vgg16")
CLASSES = 1000
WNID = re.compile(r"n\d{8}")  # torchvision's classes are in the order of these names


def network(name: str, weights: Path, classes: int = CLASSES) -> nn.Module:
    """Return one of torchvision's networks with the weights of a .safetensors file, holding Weights.

    Raises ValueError for a network that is not offered, and for a file that is not its weights.
    """
    if name not in NETWORKS:
        raise ValueError(f"network {name!r} is not offered: choose one of {', '.join(NETWORKS)}")
    if weights.suffix != ".safetensors":
        raise ValueError(
            f"{weights} is no .safetensors file, and no pickle is loaded: convert torchvision's, as the README says"
        )
    with torch.device("meta"):  # no memory and no random numbers for what the file brings
        model = getattr(torchvision("models"), name)(weights=None, num_classes=classes)
    wanted = {path: tuple(tensor.shape) for path, tensor in model.state_dict().items()}
    try:
        with safe_open(weights, "pt") as file:
            found = {path: tuple(file.get_slice(path).get_shape()) for path in file.keys()}  # noqa: SIM118 - it is no dict
            if found != wanted:
                raise ValueError(
                    f"{weights} does not hold the weights of {name}: convert those of torchvision's {name}"
                )
            tensors = {path: file.get_tensor(path).float() for path in wanted}
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{weights} cannot be read ({error}): convert torchvision's weights again") from error
    model.load_state_dict(tensors, assign=True)
    return adopt(model.eval().requires_grad_(False))


def fingerprint(path: Path) -> str:
    """Return the first 16 hexadecimal digits of a file's SHA-256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@dataclass(frozen=True)
class Pictures:
    """The validation pictures in a random order that is always the same, so that the first N stand for all."""

    folder: object  # torchvision's ImageFolder
    order: list[int]

    def __len__(self) -> int:
        return len(self.order)

    @property
    def fingerprint(self) -> str:
        """A name for these pictures: it changes with their file names and classes."""
        root = Path(self.folder.root)
        told = "\n".join(f"{Path(path).relative_to(root)} {label}" for path, label in self.folder.samples)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def batch(self, begin: int, end: int) -> tuple[Tensor, Tensor]:
        """Return pictures (n, 3, 224, 224), as the networks were trained to see them, and labels (n,).

        Raises ValueError for a picture that cannot be read.
        """
        images, labels = zip(*(self._one(index) for index in self.order[begin:end]), strict=True)
        return torch.stack(images).contiguous(memory_format=torch.channels_last), torch.tensor(labels)

    def _one(self, index: int) -> tuple[Tensor, int]:
        try:
            return self.folder[index]
        except Exception as error:  # a damaged picture can make its decoder raise anything
            path = self.folder.samples[index][0]
            raise ValueError(f"{path} is no whole picture: take it from the archive again") from error


def pictures(root: Path, classes: int = CLASSES) -> Pictures:
    """Find the pictures in a folder that has one folder for each class, named by its WordNet id as in n01440764.

    Raises ValueError where the folder does not exist, or has other folders than these.
    """
    root = Path(root)
    names = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    wrong = [name for name in names if not WNID.fullmatch(name)]
    if len(names) != classes or wrong:
        has = f"has {len(names)} folders" if not wrong else f"has a folder {wrong[0]!r}"
        raise ValueError(
            f"{root} {has if root.is_dir() else 'is no folder'}: give ImageNet's validation pictures in "
            f"{classes:,} folders, one for each class, named as in n01440764"
        )
    see = torchvision("models").AlexNet_Weights.DEFAULT.transforms()  # 224 pixels from the middle; VGG-16 sees the same
    try:
        folder = torchvision("datasets").ImageFolder(str(root), see)
    except FileNotFoundError as error:
        raise ValueError(f"{root} has a class without pictures: unpack the archive again") from error
    order = torch.randperm(len(folder), generator=torch.Generator().manual_seed(0)).tolist()
    return Pictures(folder, order)
