"""How sharply the loss bends along each weight: the diagonal of the Gauss-Newton matrix.

Near a minimum the gradient is about zero, and moving the weights by d raises the mean loss by about

    1/2 sum_i h_i d_i^2,   h_i = mean over pictures of [J' (diag(p) - p p') J]_ii,

where J = d outputs / d weights of one picture, p = softmax(outputs), and diag(p) - p p' is the second
derivative of the cross-entropy in the outputs (LeCun 1990 keeps the diagonal alone). The whole of h
would take a backward pass for each picture and class. Two dice make it cheap, and keep its mean:

- A random vector v with E[v v'] = diag(p) - p p' needs one pass: the square of J'v has the mean h
  (Martens 2012). Independent vectors for the pictures of a batch let their gradients be added up
  first, since in the mean the products of different ones vanish.
- A trained network is sure of most pictures, and those add nothing. So pictures are drawn with a
  chance q in proportion to the trace 1 - sum p^2, and what they add is divided by q. On MNIST this
  takes the error of a single h from a factor of 3 down to one of 1.4, for the same 1,000 pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from labkit import layers
from labkit.data import Data, Split
from labkit.deploy import deployed
from labkit.macs import macs
from labkit.methods import numbers, sound_leaves
from labkit.threads import threads
from labkit.weights import Dense

LOOK_BATCH = 100  # pictures looked at together
LOOK_MACS = 3e10  # multiplications for looking: about a second
LEAST = 1e-3  # of the mean chance: a picture that seems sure may still be drawn


@torch.enable_grad()
def diagonal(
    model: nn.Module,
    data: Data,
    images: int = 1000,
    batch: int = 8,
    seed: int = 0,
    where: str | None = None,
    draws: int = 1,
    pool: int | None = None,
) -> dict[str, Tensor]:
    """Estimate h for the numbers that each leaf shows, in one layer or (None) in the whole network.

        h = 1/n sum over batches (sum over the batch of J'v / sqrt(m q))^2, averaged over the draws of v

    Returns path -> tensor (the leaf's shape), in loss (nats) per squared weight. n = `images` pictures
    are drawn from m = `pool` of the training split, each with its chance q; None looks at as many as
    take about a second. The mean of the estimate is h; its noise falls with the square root of images
    and draws. The model is left alone. Raises ValueError for a count below 1, a layer that does not
    exist, and NaN in the network (Martens 2012).

    >>> from labkit import data, zoo
    >>> found = diagonal(zoo.load("LeNet-300-100", "MNIST"), data.load("MNIST"), where="fc3", pool=100)
    >>> {path: tuple(h.shape) for path, h in found.items()}
    {'fc3.weight': (10, 100)}
    """
    random = torch.Generator().manual_seed(seed)
    copy, weights = _opened(model, where)
    if pool is None:
        pool = max(2 * images, int(LOOK_MACS / macs(copy, data.image_shape)))
    for name, count in (("images", images), ("batch", batch), ("draws", draws), ("pool", pool)):
        if count < 1:
            raise ValueError(f"{name} is {count}, but must be at least 1: 1000 images in batches of 8 are usual")
    totals = [torch.zeros_like(weight) for weight in weights.values()]
    with threads(1):  # of so small batches, and of a busy machine, one thread makes more than two
        pictures, scales = _choose(copy, data, images, pool, random)
        for part in torch.arange(images).split(batch):
            outputs = copy(_seen(data, pictures.images[part], totals[0].device))
            for gradients in _gradients(outputs, scales[part].to(outputs), list(weights.values()), draws, random):
                for total, gradient in zip(totals, gradients, strict=True):
                    total.addcmul_(gradient, gradient)
    return {path: total / (images * draws) for path, total in zip(weights, totals, strict=True)}


def root(p: Tensor, signs: Tensor) -> Tensor:
    """Turn random signs z into v = sqrt(p) z - p (sqrt(p)' z), for which E[v v'] = diag(p) - p p'.

    `p` (n, classes) are softmax probabilities, `signs` (n, classes) independently 1 or -1 (Martens 2012).

    >>> root(torch.tensor([[0.25, 0.75]]), torch.tensor([[1.0, 1.0]])).sum(1).abs() < 1e-6
    tensor([True])
    """
    scaled = p.sqrt() * signs
    return scaled - p * scaled.sum(1, keepdim=True)


@torch.no_grad()
def rise(h: Mapping[str, Tensor], model: nn.Module, compressed: nn.Module) -> float:
    """Predict by how much compressing raises the mean loss: 1/2 sum_i h_i (w_i - w'_i)^2, in nats.

    `h` maps the paths of leaves to what `diagonal` returned for `model`. It holds near a minimum and
    for small changes (LeCun 1990).

    >>> model = layers.adopt(nn.Linear(2, 1, bias=False))
    >>> compressed = layers.replace(model, {"weight": Dense(model.weight() + torch.tensor([[1.0, 2.0]]))})
    >>> round(rise({"weight": torch.tensor([[3.0, 0.5]])}, model, compressed), 4)
    2.5
    """
    moved = {path: numbers(compressed.get_submodule(path)) - numbers(model.get_submodule(path)) for path in h}
    return sum(float((h[path].double() * step.double().square()).sum()) for path, step in moved.items()) / 2


def _opened(model: nn.Module, where: str | None) -> tuple[nn.Module, dict[str, Tensor]]:
    """Return a copy whose leaves are plain tensors, and alone require a gradient."""
    leaves = {path: Dense(numbers(leaf)) for path, leaf in sound_leaves(model, where).items()}
    if not leaves:
        raise ValueError("pruning left no weight here, so there is no curvature: choose another layer")
    copy = layers.replace(model, leaves).eval().requires_grad_(False)
    return copy, {path: leaf.values.requires_grad_() for path, leaf in leaves.items()}


def _choose(copy: nn.Module, data: Data, images: int, pool: int, random: torch.Generator) -> tuple[Split, Tensor]:
    """Draw pictures with a chance in proportion to their traces; return them and 1 / sqrt(m q) of each.

    The draws lie at equal steps of the added chances: less noise than from independent ones.
    """
    looked = data.train.take(torch.randperm(len(data.train), generator=random)[:pool])
    device = next(copy.parameters()).device
    with torch.inference_mode():
        net = deployed(copy)
        outputs = torch.cat([net(_seen(data, part, device)) for part in looked.images.split(LOOK_BATCH)]).cpu()
    traces = 1 - outputs.double().softmax(1).square().sum(1)
    if not bool(torch.isfinite(traces).all()):
        raise ValueError("the network's outputs are NaN or infinite: train the model again, or load it again")
    chances = traces.clamp_min(0) + LEAST * traces.mean() + torch.finfo(traces.dtype).eps
    chances /= chances.sum()
    steps = (torch.arange(images) + torch.rand(1, generator=random).double()) / images
    drawn = torch.searchsorted(chances.cumsum(0), steps).clamp_max(len(looked) - 1)
    drawn = drawn[torch.randperm(images, generator=random)]
    return looked.take(drawn), (len(looked) * chances[drawn]).rsqrt()


def _gradients(
    outputs: Tensor, scales: Tensor, weights: list[Tensor], draws: int, random: torch.Generator
) -> Iterator[tuple[Tensor, ...]]:
    """Yield the scaled gradients J'v, summed over the batch, for each of so many random v."""
    p = outputs.detach().softmax(1)
    for left in reversed(range(draws)):
        v = root(p, _signs(p.shape, random).to(p)) * scales[:, None]
        yield torch.autograd.grad(outputs, weights, v, retain_graph=left > 0, materialize_grads=True)


def _signs(shape: torch.Size, random: torch.Generator) -> Tensor:
    return torch.randint(0, 2, tuple(shape), generator=random) * 2 - 1


def _seen(data: Data, images: Tensor, device: torch.device) -> Tensor:
    return data.normalise(images.to(device)).contiguous(memory_format=torch.channels_last)
