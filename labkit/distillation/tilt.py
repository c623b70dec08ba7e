"""A task without classes: by how many degrees is this piece of clothing tilted?

There is no softmax here, and no dark knowledge of wrong classes. What a teacher knows all the same is a number for
every picture, also for those that nobody has labelled, and a student can be taught it: logit regression (Ba 2014) as it
stands.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from labkit.data import Data, Split
from labkit.layers import adopt
from labkit.measure import outputs
from labkit.rotated import PART, turned
from labkit.train import Recipe, Trainer

RECIPE = Recipe(epochs=2, learning_rate=0.002, weight_decay=0, optimiser="adam")
MOST = 45  # degrees to either side; it is also the unit of a network's answer


def tilted(data: Data, count: int | None = None, seed: int = 0) -> Data:
    """Tilt each picture by a whole number of degrees from -45 to 45, counterclockwise, which becomes its label (int64).

    `count` is the number of training pictures to take (None: all). A network for this task has one output: the angle in
    units of 45 degrees. The angles come from NumPy's legacy generator, whose stream is frozen by policy.

    >>> from labkit import data
    >>> clothes = tilted(data.load(), 100)
    >>> len(clothes.train), int(clothes.train.labels.abs().max()) <= 45, clothes.classes
    (100, True, ('angle',))
    """
    random = np.random.RandomState(seed)
    parts = {name: _tilted(data.split(name), random) for name in ("test", "validation")}
    train = data.train if count is None else data.train.take(slice(0, count))
    return replace(data, name=f"{data.name}-tilted", classes=("angle",), train=_tilted(train, random), **parts)


def _tilted(split: Split, random: np.random.RandomState) -> Split:
    angles = torch.from_numpy(random.randint(-MOST, MOST + 1, len(split)))
    pairs = zip(split.images.split(PART), angles.split(PART), strict=True)
    images = [turned(part.float(), angle.float()).round().clamp(0, 255).to(torch.uint8) for part, angle in pairs]
    return Split(torch.cat(images), angles)


def taught_to_tilt(network: nn.Module, data: Data, recipe: Recipe = RECIPE) -> nn.Module:
    """Train a network of one output on tilted pictures, and return it, ready to be a teacher.

    What the trainer calls accuracy means nothing here: there are no classes.
    """
    network = adopt(network).to(memory_format=torch.channels_last)
    for _ in Trainer(network, data, recipe, square_error).run():
        pass
    return network.eval()


def square_error(outputs: Tensor, labels: Tensor, images: Tensor) -> Tensor:
    """Return half the squared error of the angle, in units of 45 degrees, a mean over pictures.

    >>> square_error(torch.tensor([[1.0]]), torch.tensor([0]), torch.empty(0)).item()
    0.5
    """
    return (outputs[:, 0] - labels / MOST).square().mean() / 2


def degrees_off(model: nn.Module, data: Data, split: str = "validation") -> float:
    """Return the mean absolute error of a network's angles, in degrees."""
    part = data.split(split)
    return float((MOST * outputs(model, data, part.images)[:, 0] - part.labels).abs().mean())
