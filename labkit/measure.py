"""What a compressed network is worth: accuracy with its uncertainty, bytes, parameters, multiplications, time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from labkit.data import Data
from labkit.folding import deployed
from labkit.layers import Layer
from labkit.weights import Weight

if TYPE_CHECKING:
    from labkit.latency import Latency

NORMAL = 1.959963984540054  # the quantile of the normal distribution that leaves 2.5 % above it


@dataclass(frozen=True)
class Accuracy:
    """How many of so many pictures were right; `value`, `low` and `high` are shares from 0 to 1.

    >>> print(Accuracy(9, 10))
    90.00 % (59.58 to 98.21 %, 9 of 10)
    """

    right: int
    images: int

    def __post_init__(self):
        if not 0 <= self.right <= self.images or self.images < 1:
            raise ValueError(f"{self.right} right of {self.images} pictures is not possible: need 0 <= right <= images, images >= 1")

    @property
    def value(self) -> float:
        """The share of right answers, p = right / n."""
        return self.right / self.images

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self._wilson()[0]

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self._wilson()[1]

    def _wilson(self) -> tuple[float, float]:
        """(p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n) (Wilson 1927), z = 1.96."""
        p, n, z = self.value, self.images, NORMAL
        middle = p + z * z / (2 * n)
        spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        low, high = ((middle + sign * spread) / (1 + z * z / n) for sign in (-1, 1))
        return (0.0 if self.right == 0 else low), (1.0 if self.right == n else high)

    def __str__(self) -> str:
        return f"{100 * self.value:.2f} % ({100 * self.low:.2f} to {100 * self.high:.2f} %, {self.right:,} of {self.images:,})"


@torch.inference_mode()
def accuracy(model: nn.Module, data: Data, split: str = "validation", batch: int = 200) -> Accuracy:
    """Count the right answers of a network on the whole of a split, in float32.

    >>> from labkit import data, zoo
    >>> accuracy(zoo.load("LeNet-300-100", "MNIST"), data.load("MNIST")).value > 0.98
    True
    """
    part = data.split(split)
    net = deployed(model)
    device = next((tensor.device for tensor in model.state_dict().values()), torch.device("cpu"))
    right = 0
    for start in range(0, len(part), batch):
        images = data.normalise(part.images[start : start + batch].to(device))
        answers = net(images.contiguous(memory_format=torch.channels_last)).argmax(1).cpu()
        right += int((answers == part.labels[start : start + batch]).sum())
    return Accuracy(right, len(part))


@torch.no_grad()
def macs(model: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Count the multiplications of all fully connected and convolutional layers for one picture.

    A dense layer takes out * in * height * width / groups of them for each position of its output;
    a Sparse one takes one for each number stored, a LowRank one r (out + in).

    >>> from labkit import zoo
    >>> macs(zoo.build("LeNet-5"), (1, 28, 28))
    2293000
    """
    total, hooks = 0, []

    def count(layer: nn.Module, _, output: torch.Tensor) -> None:
        nonlocal total
        shape = output.shape[1:]
        if isinstance(layer, Layer):
            total += layer.macs(shape)
        elif isinstance(layer, nn.Linear):
            total += layer.weight.numel() * (shape.numel() // shape[-1])
        else:
            total += layer.weight.numel() * shape[-2:].numel()

    counted = [module for module in model.modules() if isinstance(module, (Layer, nn.Linear, nn.Conv2d))]
    training = [module for module in model.modules() if module.training]
    device = next((tensor.device for tensor in model.state_dict().values()), None)
    try:
        hooks = [layer.register_forward_hook(count) for layer in counted]
        model.eval()
        model(torch.zeros(1, *image_shape, device=device))
    finally:
        for hook in hooks:
            hook.remove()
        for module in training:
            module.training = True
    return total


def parameters(model: nn.Module) -> int:
    """Count the numbers that a network stores: its parameters, and one code for each clustered weight.

    Positions are not counted, as in the papers; their bytes are, in the file (`labkit.size`).

    >>> from labkit import zoo
    >>> parameters(zoo.build("LeNet-300-100"))
    266610
    """
    codes = 0
    for module in model.modules():
        if isinstance(module, Weight):
            codes += sum(buffer.numel() for buffer in module._buffers.values() if buffer is not None and buffer.shape == module.shape)
    return codes + sum(parameter.numel() for parameter in model.parameters())


def compression_rate(original: float, compressed: float) -> float:
    """The survey's compression rate, alpha = a / a*, of parameters or of bytes.

    >>> compression_rate(1200, 100)
    12.0
    """
    return _positive("original", original) / _positive("compressed", compressed)


def space_saving(original: float, compressed: float) -> float:
    """The share of the space that was saved, (a - a*) / a = 1 - 1 / alpha: what the survey must have meant.

    >>> round(space_saving(1200, 100), 3)
    0.917
    """
    return 1 - _positive("compressed", compressed) / _positive("original", original)


def space_saving_as_printed(original: float, compressed: float) -> float:
    """The survey's index space saving as it is printed, beta = (a - a*) / a* = alpha - 1, which is no share.

    >>> space_saving_as_printed(1200, 100)
    11.0
    """
    return (_positive("original", original) - compressed) / _positive("compressed", compressed)


def speed_up(original: float, compressed: float) -> float:
    """The survey's speed-up, delta = s / s*, of two running times in the same unit.

    >>> speed_up(3.0, 1.5)
    2.0
    """
    return _positive("original", original) / _positive("compressed", compressed)


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is {value}, but must be above 0 and finite")
    return value
