"""Small networks and pictures that a budget is shared out in, and what they cost, counted in another way."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from labkit import adopt, macs
from labkit import data as datasets
from labkit.lowrank.measured import PICTURES

SHARES = ("loss", "rank", "energy", "ratio")


def few(count: int = PICTURES) -> datasets.Data:
    """As many training pictures as the loss is measured on, so that which ones are drawn makes no difference."""
    whole = datasets.load("FashionMNIST")
    train, validation = whole.train.take(slice(0, count)), whole.validation.take(slice(0, 200))
    return datasets.Data(whole.name, whole.classes, train, validation, validation, whole.mean, whole.std)


def noise(shape: tuple[int, int, int] = (3, 8, 8), count: int = 40) -> datasets.Data:
    """Random pictures of three classes."""
    random = np.random.RandomState(0)
    images = torch.from_numpy(random.randint(0, 256, (count, *shape), dtype=np.uint8))
    part = datasets.Split(images, torch.from_numpy(random.randint(0, 3, count)))
    return datasets.Data("noise", ("a", "b", "c"), part, part, part, (0.5,) * shape[0], (0.3,) * shape[0])


class Odd(nn.Module):
    """A shortcut, two layers that share a weight, a convolution in groups and one too thin for any rank."""

    def __init__(self, seed: int):
        super().__init__()
        torch.manual_seed(seed)
        width = 6 + seed % 3
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.inner = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.groups = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, groups=width)
        self.one, self.two = nn.Linear(2 * width, 2 * width), nn.Linear(2 * width, 2 * width)
        self.two.weight = self.one.weight
        self.thin, self.last = nn.Linear(2 * width, 1), nn.Linear(2 * width, 3)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = F.relu(x + self.inner(x))
        x = F.relu(self.groups(x)).mean((2, 3))
        x = self.two(F.relu(self.one(x)))
        return self.last(F.relu(x)) * self.thin(x).sigmoid()


def odd(seed: int = 0) -> nn.Module:
    return adopt(Odd(seed)).eval()


def spent(network: nn.Module, unit: str, shape: tuple[int, int, int]) -> int:
    """Count the bytes of all different parameters, or the multiplications."""
    if unit == "macs":
        return macs.macs(network, shape)
    return sum(4 * parameter.numel() for parameter in {id(one): one for one in network.parameters()}.values())


@torch.no_grad()
def divergence(network: nn.Module, other: nn.Module, data: datasets.Data) -> float:
    """The mean KL divergence on the training pictures from what a network says to what another one says, in nats."""
    mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in (data.mean, data.std))
    seen = (data.train.images / 255 - mean) / std
    p, q = (net.eval()(seen).double().log_softmax(1) for net in (network, other))
    return float(F.kl_div(q, p, reduction="batchmean", log_target=True))
