"""Networks, pictures and the plain loop that several tests compare with."""

import copy
import functools

import torch
from torch import nn

from labkit import data as datasets

SHAPE = (1, 28, 28)


def shaken(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give batch normalisation the statistics of a trained network, so that folding it matters."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return model.eval()


def pictures(count: int = 4, shape=SHAPE) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(1))


def close(found: torch.Tensor, expected: torch.Tensor, share: float = 1e-4) -> None:
    """Compare outputs up to a share of the largest."""
    torch.testing.assert_close(found, expected, rtol=share, atol=share * float(expected.detach().abs().max()))


@functools.cache
def fashion(count: int = 600) -> datasets.Data:
    """The first pictures of the validation split as a data set of their own."""
    whole = datasets.load("FashionMNIST")
    part = whole.validation.take(slice(0, count))
    return datasets.Data(whole.name, whole.classes, part, part, part, whole.mean, whole.std)


@torch.inference_mode()
def plain(model: nn.Module, data: datasets.Data) -> torch.Tensor:
    model = copy.deepcopy(model).eval()
    images = (data.validation.images / 255 - data.mean[0]) / data.std[0]
    return torch.cat([model(part) for part in images.split(128)])
