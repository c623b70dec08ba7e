"""Data sets and their fixed splits: what every number in the lab is measured on."""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib
import os
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from labkit._torchvision import torchvision
from labkit.files import write

ROOT = Path(os.environ.get("LABKIT_DATA", Path(__file__).resolve().parent.parent / "data"))
VALIDATION = 5_000  # pictures taken out of the training set
FASHION = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot")
DIGITS = tuple("0123456789")
# The extracted files' SHA-256: train images, train labels, test images, test labels.
IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SHA256 = {
    "FashionMNIST": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    "MNIST": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
# Mean and standard deviation of the training pixels, on the scale 0 to 1.
PIXELS = {
    "FashionMNIST": ((0.2860,), (0.3530,)),
    "MNIST": ((0.1307,), (0.3081,)),
    "KMNIST": ((0.1918,), (0.3483,)),
    "CIFAR10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "CIFAR100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "SVHN": ((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)),
}
# Made from MNIST when they are loaded, each by a module of its own.
MADE = {"MNIST-noise": "labkit.noise", "MNIST-rotated": "labkit.rotated"}
NAMES = (*PIXELS, *MADE)
SHIPPED = tuple(SHA256)


class DataError(RuntimeError):
    """A data set is missing or damaged; the message says which and what to do."""


@dataclass(frozen=True)
class Split:
    """Pictures (uint8, shape n, channels, height, width) and their labels (int64, shape n)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor | slice) -> Split:
        """Return the chosen pictures as a split of their own."""
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True)
class Data:
    """A data set, held once in memory as uint8, with its three splits."""

    name: str
    classes: tuple[str, ...]
    train: Split = field(repr=False)
    validation: Split = field(repr=False)
    test: Split = field(repr=False)
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one picture."""
        return tuple(self.train.images.shape[1:])

    def normalise(self, images: Tensor) -> Tensor:
        """Turn uint8 pictures into the float32 that networks see: (pixel / 255 - mean) / std."""
        mean = torch.tensor(self.mean, device=images.device).view(-1, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(-1, 1, 1)
        return images.float().sub_(255 * mean).div_(255 * std)

    def only(self, *labels: int) -> Data:
        """Return the data set with the pictures of some classes alone, which keep their labels.

        >>> small = load("MNIST").only(6, 9)
        >>> small.train.labels.unique().tolist(), small.image_shape
        ([6, 9], (1, 28, 28))
        """
        parts = {}
        for name in ("train", "validation", "test"):
            part = self.split(name)
            parts[name] = part.take(torch.isin(part.labels, torch.tensor(labels)))
        return replace(self, **parts)

    def few(self, count: int) -> Data:
        """Return the data set with only the first `count` training pictures; the other splits stay whole."""
        return replace(self, train=self.train.take(slice(0, count)))

    def split(self, name: str) -> Split:
        """Return the split called "train", "validation" or "test"."""
        if name not in ("train", "validation", "test"):
            raise ValueError(f"split {name!r} does not exist: choose train, validation or test")
        return getattr(self, name)


@functools.lru_cache(maxsize=2)
def load(name: str = "FashionMNIST", root: Path = ROOT) -> Data:
    """Return a data set with 5,000 validation pictures taken out of its training set.

    FashionMNIST and MNIST come with the lab (55,000 train, 5,000 validation, 10,000 test).
    MNIST-noise and MNIST-rotated are made from MNIST (10,000 and 12,000 train, 2,000 validation, 50,000 test, see
    `labkit.noise` and `labkit.rotated`).
    KMNIST, CIFAR10, CIFAR100 and SVHN are downloaded by torchvision, which checks their hashes.
    Raises ValueError for another name and DataError where files are missing or damaged.

    >>> data = load("MNIST")
    >>> len(data.train), len(data.validation), len(data.test)
    (55000, 5000, 10000)
    """
    if name not in NAMES:
        raise ValueError(f"data set {name!r} is unknown: choose one of {', '.join(NAMES)}")
    if name in MADE:  # imported now, since the parts of SciPy that some of them need are slow to import
        return importlib.import_module(MADE[name]).variant(load("MNIST", root), name)
    if name in SHIPPED:
        _extract(name, Path(root) / name / "raw")
        whole, test, classes = _read(name, Path(root), download=False)
    else:
        whole, test, classes = _download(name, Path(root) / "downloads")
    train, validation = split_off(whole, VALIDATION)
    mean, std = PIXELS[name]
    return Data(name, classes, train, validation, test, mean, std)


def split_off(whole: Split, count: int, seed: int = 0) -> tuple[Split, Split]:
    """Split `count` pictures off, every class in its share, the same ones on every machine.

    The picture order comes from NumPy's legacy generator, whose stream is frozen by policy.
    """
    order = np.random.RandomState(seed).permutation(len(whole))
    labels = whole.labels.numpy()[order]
    position = np.empty(len(order))  # how far through its own class a picture comes, 0 to 1
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    ranked = order[np.argsort(position, kind="stable")]
    chosen, rest = np.sort(ranked[:count]), np.sort(ranked[count:])
    return whole.take(torch.from_numpy(rest)), whole.take(torch.from_numpy(chosen))


def _extract(name: str, folder: Path) -> None:
    """Make sure that the four extracted files are there and whole; extract the archives if not."""
    for file, expected in zip(IDX, SHA256[name], strict=True):
        target, archive = folder / file, folder / f"{file}.gz"
        if target.exists() and _sha256(target) == expected:
            continue
        try:
            content = gzip.decompress(archive.read_bytes())
            if hashlib.sha256(content).hexdigest() != expected:
                raise OSError("its content is not the original's")
            write(target, content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{archive} is missing or damaged ({error}): restore it with `git checkout {archive}`"
            ) from error


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(name: str, root: Path) -> tuple[Split, Split, tuple[str, ...]]:
    """Read a data set that does not come with the lab, downloading it on first use."""
    try:
        return _read(name, root, download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} is not on this machine and could not be downloaded ({error}): "
            f"connect to a network and try again, or use {' or '.join(SHIPPED)}, which come with the lab"
        ) from error


def _read(name: str, root: Path, download: bool) -> tuple[Split, Split, tuple[str, ...]]:
    """Read the training and the test set through torchvision's own class."""
    kind = getattr(torchvision("datasets"), name)
    if name == "SVHN":
        parts = [kind(root, split=part, download=download) for part in ("train", "test")]
    else:
        parts = [kind(root, train=train, download=download) for train in (True, False)]
    classes = FASHION if name == "FashionMNIST" else tuple(getattr(parts[0], "classes", DIGITS))
    if name == "MNIST":
        classes = DIGITS
    return *(_as_split(part) for part in parts), classes


def _as_split(part) -> Split:
    """Bring torchvision's arrays into one form: uint8 (n, channels, height, width) and int64."""
    images = torch.as_tensor(part.data)
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[-1] == 3:
        images = images.permute(0, 3, 1, 2)
    labels = part.targets if hasattr(part, "targets") else part.labels
    return Split(images.contiguous(), torch.as_tensor(labels, dtype=torch.int64))
