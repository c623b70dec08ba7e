"""What a compressed network is worth: accuracy with its uncertainty, bytes, parameters, multiplications, time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from labkit.data import Data
from labkit.deploy import deployed
from labkit.macs import macs
from labkit.rates import compression_rate, space_saving, space_saving_as_printed, speed_up
from labkit.weights import Weight

if TYPE_CHECKING:
    from labkit.latency import Latency

__all__ = [
    "Accuracy",
    "Measurement",
    "accuracy",
    "compression_rate",
    "macs",
    "measure",
    "outputs",
    "parameters",
    "space_saving",
    "space_saving_as_printed",
    "speed_up",
]
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
            raise ValueError(
                f"{self.right} right of {self.images} pictures cannot be: give 0 to {max(self.images, 1)} right"
            )

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
        low, value, high = (100 * share for share in (self.low, self.value, self.high))
        return f"{value:.2f} % ({low:.2f} to {high:.2f} %, {self.right:,} of {self.images:,})"


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
def outputs(model: nn.Module, data: Data, images: Tensor, batch: int = 250) -> Tensor:
    """Return what a network answers in evaluation mode for pictures (uint8), (n, classes), a batch at a time.

    >>> from labkit import data, zoo
    >>> clothes = data.load()
    >>> outputs(zoo.load("LeNet-5"), clothes, clothes.validation.images[:3]).shape
    torch.Size([3, 10])
    """
    training = model.training
    try:
        return torch.cat([model.eval()(data.normalise(part)) for part in images.split(batch)])
    finally:
        model.train(training)


def parameters(model: nn.Module) -> int:
    """Count the numbers that a network stores: its parameters, and one code for each clustered weight.

    Positions are not counted, as in the papers; their bytes are, in the file (`labkit.size`).

    >>> from labkit import zoo
    >>> parameters(zoo.build("LeNet-300-100"))
    266610
    """
    clustered = 0
    for module in model.modules():
        if isinstance(module, Weight):
            clustered += sum(codes.numel() for codes in module.buffers(recurse=False) if codes.shape == module.shape)
    return clustered + sum(parameter.numel() for parameter in model.parameters())


@dataclass(frozen=True)
class Measurement:
    """All that is measured of one network on one split; `latency` by batch size, where it was asked for."""

    accuracy: Accuracy
    split: str
    bytes: int
    parameters: int
    macs: int
    latency: dict[int, Latency] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [
            f"accuracy    {self.accuracy}, {self.split}",
            f"size        {self.bytes:,} bytes on disk",
            f"parameters  {self.parameters:,}",
            f"MACs        {self.macs:,} for one picture",
        ]
        return "\n".join(lines + [f"time        {time}" for time in self.latency.values()])


def measure(
    model: nn.Module, data: Data, split: str = "validation", latency: bool = False, device: torch.device | str = "cpu"
) -> Measurement:
    """Measure a network: accuracy, bytes of its file, parameters, multiplications, and time if asked for.

    Time is taken at batch 1 and 256, on `device`. Choose methods on the validation split, and keep
    the test split for the number that you hand in. Raises ValueError for a split that does not exist.

    >>> from labkit import data, zoo
    >>> measure(zoo.load("LeNet-300-100", "MNIST"), data.load("MNIST")).parameters
    266610
    """
    from labkit import storage  # here, since the panel's estimates need no files
    from labkit.latency import latency as timed

    shape = data.image_shape
    found = accuracy(model, data, split)
    times = {batch: timed(model, shape, batch, device=device) for batch in (1, 256)} if latency else {}
    return Measurement(found, split, storage.size(model).total, parameters(model), macs(model, shape), times)
