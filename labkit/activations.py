"""What the layers of a network read, summed up in the one matrix from which the error of a layer follows.

A layer computes y = W x. If its weights change by D, the squared change of its output, in the mean over
pictures and summed over the positions of a picture, is

    sum over the rows d of D of  d' H d,   H = mean over pictures of sum over positions of x x',

so H, the Gram matrix of what the layer reads, is all that need be known of the pictures. The x of a
convolution is a patch. All rows (filters) share H, but for a grouped convolution, which has one for each group.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit import layers
from labkit.data import Data
from labkit.layers import Conv2d, Layer

BATCH = 100
COLUMNS = 20_000  # patches that are enough for one convolution; a picture gives as many, at random places


@torch.inference_mode()
def gram(
    model: nn.Module, data: Data, images: int = 2000, where: str | None = None, seed: int = 0
) -> dict[str, Tensor]:
    """Return H = mean over pictures of sum over positions of x x' for one layer or (None) each.

    Maps the path of a layer to a float32 tensor (groups, inputs, inputs), `inputs` the weights of one row: all
    inputs of a matrix, channels / groups * height * width of a convolution. `images` pictures of the training
    split are drawn, or all where there are fewer. Of a convolution only some 20,000 patches are looked at,
    at the same random places in each batch. Layers that share a weight share the entry of the first, and a
    layer that no picture reaches has none. Raises ValueError for fewer than one picture, a layer that does
    not exist, and inputs that are NaN or infinite (Dong 2017).

    >>> from labkit import data, zoo
    >>> found = gram(zoo.load("LeNet-300-100", "MNIST"), data.load("MNIST"), images=500)
    >>> {path: tuple(h.shape) for path, h in found.items()}
    {'fc1': (1, 784, 784), 'fc2': (1, 300, 300), 'fc3': (1, 100, 100)}
    """
    if images < 1 or not len(data.train):
        raise ValueError(f"images is {images} of {len(data.train)} training pictures, but at least 1 is needed")
    random = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(data.train), generator=random)[:images]
    model = copy.deepcopy(model).eval()  # hooks on the network itself would disturb who runs it meanwhile
    found = layers.layers(model)
    if where is not None and where not in found:
        raise ValueError(f"layer {where!r} does not exist: choose one of {', '.join(found)}")
    sums: dict[str, Tensor] = {}
    first = {} if where is None else {id(found[where].weight): where}  # the layer that stands for a shared weight
    for path, layer in found.items():
        path = first.setdefault(id(layer.weight), path)
        if where in (None, path):
            layer.register_forward_pre_hook(_adder(sums, path, math.ceil(COLUMNS / len(drawn)), random))
    device = next((tensor.device for tensor in model.state_dict().values()), torch.device("cpu"))
    for part in drawn.split(BATCH):
        model(data.normalise(data.train.images[part].to(device)).contiguous(memory_format=torch.channels_last))
    for path, total in sums.items():
        if not bool(torch.isfinite(total).all()):
            raise ValueError(f"{path} reads NaN or infinite numbers: train the model again, or load it again")
    return {path: total / len(drawn) for path, total in sums.items()}


def _adder(sums: dict[str, Tensor], path: str, positions: int, random: torch.Generator):
    """Return a hook that adds x x' of one batch to sums[path]."""

    def add(layer: Layer, inputs: tuple[Tensor, ...]) -> None:
        x = columns(layer, inputs[0], positions, random)
        total = (x @ x.mT).cpu()
        sums[path] = sums[path] + total if path in sums else total

    return add


def columns(layer: Layer, x: Tensor, positions: int | None = None, random: torch.Generator | None = None) -> Tensor:
    """Return what the rows of a layer are multiplied with, (groups, inputs, pictures * positions).

    The patches of a convolution at all `positions` of its output, or at so many that are drawn at random: then
    they are scaled so that x x' keeps its mean.

    >>> conv = Conv2d(layers.Dense(torch.ones(4, 1, 3, 3)), groups=2)
    >>> columns(conv, torch.zeros(5, 2, 8, 8)).shape
    torch.Size([2, 9, 180])
    """
    x = x if layer.grid is None else layer.grid(x)
    if not isinstance(layer, Conv2d):
        return x.reshape(-1, x.shape[-1]).mT[None]
    windows = _windows(layer, x)
    count, across = windows.shape[2] * windows.shape[3], windows.shape[3]
    if positions is None or positions >= count:
        patches = windows.flatten(2, 3)
    else:
        chosen = torch.randperm(count, generator=random)[:positions].to(x.device)
        patches = windows[:, :, chosen // across, chosen % across] * (count / positions) ** 0.5
    return patches.permute(1, 3, 4, 2, 0).reshape(layer.groups, -1, len(x) * patches.shape[2])


def _windows(layer: Conv2d, x: Tensor) -> Tensor:
    """View the input of a convolution as windows, (n, channels, rows, columns of the output, height, width)."""
    x = F.pad(x, _sides(layer), "constant" if layer.padding_mode == "zeros" else layer.padding_mode)
    for axis, side in enumerate(layer.weight.shape[2:]):
        x = x.unfold(2 + axis, layer.dilation[axis] * (side - 1) + 1, layer.stride[axis])
    return x[..., :: layer.dilation[0], :: layer.dilation[1]]


def _sides(layer: Conv2d) -> list[int]:
    """Return how far a convolution pads: left, right, top, bottom."""
    if layer.padding == "valid":
        return [0, 0, 0, 0]
    sides = []
    for axis in (1, 0):
        if layer.padding == "same":
            whole = layer.dilation[axis] * (layer.weight.shape[2 + axis] - 1)
            sides += [whole // 2, whole - whole // 2]
        else:
            sides += 2 * [layer.padding[axis]]
    return sides
