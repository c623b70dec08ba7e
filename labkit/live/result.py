"""What is chosen in a panel, what that starts from, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from labkit import data as datasets
from labkit import storage
from labkit.estimate import Estimate
from labkit.evaluate import Evaluator
from labkit.latency import Ratio
from labkit.macs import Calls
from labkit.measure import Accuracy
from labkit.methods import Picture

OWN = "your network"
WHOLE = "whole network"


@dataclass(frozen=True)
class Choice:
    """What is chosen in a panel. `value` None stands for the knob's start, `where` None for the whole network."""

    method: str
    network: str
    data: str
    where: str | None = None
    device: str = "cpu"
    value: float | None = None


@dataclass(frozen=True)
class Base:
    """The model that a method starts from: the original, or what was kept of earlier methods."""

    model: nn.Module
    kept: tuple[str, ...] = ()


@dataclass
class Result:
    """What is known about one compressed model; the later fields are filled as they are measured."""

    choice: Choice
    base: Base
    model: nn.Module
    size: storage.Size
    macs: int
    estimate: Estimate | None = None
    picture: Picture | None = None
    accuracy: Accuracy | Estimate | None = None
    predictions: torch.Tensor | None = None
    complete: bool = False
    seconds: float | None = None  # median for one picture
    faster: Ratio | None = None
    tuned: bool = False

    @property
    def best(self) -> Accuracy | Estimate:
        """The accuracy as far as it is known."""
        return self.accuracy or self.estimate


@dataclass
class Subject:
    """One uncompressed network on one data set, with all that is measured only once."""

    name: str
    data: datasets.Data
    device: str
    evaluator: Evaluator
    base: Base
    size: storage.Size
    uses: Calls
    macs: int
