"""The first exercises of notebook 01: a step of k-means, a grid for each channel, and a budget."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from labkit import data, storage, zoo
from labkit.course.checks import NotYet, exercise
from labkit.course.exercises.network import saved
from labkit.measure import accuracy

RATIO = 4  # times smaller
LOSS = 0.3  # points of accuracy on the validation split


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def _tensor(answer: object, asked: str, shape: tuple[int, ...]) -> Tensor:
    """Return the answer if it is a tensor of this shape, else raise NotYet."""
    if not isinstance(answer, Tensor):
        raise NotYet(f"{asked} gave {type(answer).__name__}, but should give a tensor: is a `return` missing?")
    if tuple(answer.shape) != shape:
        raise NotYet(f"{asked} has shape {tuple(answer.shape)}, but should have {shape}.")
    return answer


@exercise(
    "k-means step",
    "First find for each weight the centroid nearest to it. Then move each centroid to the mean of its weights.",
    "(weights[:, None] - centroids).abs().argmin(1) gives the number of the nearest centroid of each weight.",
    "Start with moved = centroids.clone(). For each cluster k whose weights[nearest == k] are not empty, "
    "set moved[k] to their mean. A centroid without weights stays where it is. Return moved.",
)
def kmeans_step(step: Callable[[Tensor, Tensor], Tensor]) -> str:
    """One iteration of Lloyd: assign, then average."""
    small = torch.tensor([0.0, 1.0, 2.0, 10.0, 11.0])
    many = _random(500)
    for weights, centroids in (
        (small, torch.tensor([0.0, 9.0])),
        (many, torch.linspace(-2, 2, 8)),
        (small, torch.tensor([1.0, 100.0, 10.0])),  # nobody is nearest to 100
    ):
        asked = f"step(weights, centroids) for {len(weights)} weights and the centroids {centroids.tolist()}"
        answer = _tensor(step(weights.clone(), centroids.clone()), asked, tuple(centroids.shape))
        expected = _lloyd(weights, centroids)
        if bool(answer.isnan().any()):
            raise NotYet(f"{asked} gave NaN: what is the mean of a cluster that has no weights?")
        if not torch.allclose(answer, expected, atol=1e-5):
            wrong = int((answer - expected).abs().argmax())
            raise NotYet(
                f"{asked} moved centroid {wrong} to {answer[wrong]:.3f}, but it belongs at {expected[wrong]:.3f}."
            )
    return (
        "Your step never raises the squared error. Repeated until nothing moves, it is the k-means behind the slider."
    )


def _lloyd(weights: Tensor, centroids: Tensor) -> Tensor:
    nearest = (weights[:, None] - centroids).abs().argmin(1)
    sums = torch.zeros_like(centroids).index_add(0, nearest, weights)
    sizes = torch.bincount(nearest, minlength=len(centroids))
    return torch.where(sizes > 0, sums / sizes.clamp_min(1), centroids)


@exercise(
    "symmetric quantization",
    "Each output channel has its own scale: the largest weight of a channel must land on the largest code.",
    "With top = 2 ** (bits - 1) - 1 the scale of channel o is weight[o].abs().max() / top. A code is round(w / scale).",
    "flat = weight.flatten(1); scale = flat.abs().amax(1).clamp_min(1e-12) / top; "
    "codes = (flat / scale[:, None]).round().view(weight.shape).to(torch.int8); return codes, scale.",
)
def symmetric_quantization(quantize: Callable[[Tensor, int], tuple[Tensor, Tensor]]) -> str:
    """Codes of one byte at most and one scale a channel: right, and small."""
    convolution = _random(6, 3, 5, 5) * torch.logspace(-2, 1, 6)[:, None, None, None]
    for weight, bits in (
        (_random(4, 9), 4),
        (_random(4, 9), 8),
        (convolution, 4),
        (convolution, 2),
        (torch.zeros(2, 3), 4),
    ):
        asked = f"quantize(weight, {bits}) for a weight of shape {tuple(weight.shape)}"
        answer = quantize(weight.clone(), bits)
        if not (isinstance(answer, tuple) and len(answer) == 2):
            raise NotYet(f"{asked} gave {type(answer).__name__}, but should give a pair: return codes, scale.")
        codes = _tensor(answer[0], f"codes of {asked}", tuple(weight.shape))
        scale = _tensor(answer[1], f"scale of {asked}", (len(weight),))
        _judge(codes, scale, weight, bits, asked)
    return (
        "One byte for each weight and four for each channel: four times smaller, and every channel uses its whole grid."
    )


def _judge(codes: Tensor, scale: Tensor, weight: Tensor, bits: int, asked: str) -> None:
    """Raise NotYet with the first thing that is wrong with one quantized weight."""
    top = 2 ** (bits - 1) - 1
    if codes.dtype != torch.int8:
        raise NotYet(f"codes of {asked} are {codes.dtype}, but a code has one byte here: use .to(torch.int8).")
    largest = int(codes.long().abs().max())
    if largest > top:
        raise NotYet(f"codes of {asked} reach {largest}, but {bits} bits reach from -{top} to {top}.")
    wide = scale.view(-1, *[1] * (weight.ndim - 1))
    error = (codes * wide - weight).abs().flatten(1).amax(1)
    limit = weight.flatten(1).abs().amax(1) / top / 2
    if bool((error.isnan() | (error > limit + 1e-6)).any()):
        worst = int((error.nan_to_num(torch.inf) - limit).argmax())
        raise NotYet(
            f"{asked}: channel {worst} is off by up to {error[worst]:.3g}; with a scale of its own and rounding to the "
            f"nearest code it is off by at most {limit[worst]:.3g}."
        )


@exercise(
    "four times smaller",
    "Which of the methods loses least at 6 to 8 bits? Each of the panels above can tell you.",
    "8 bits of 32 are just four times smaller, and the codebooks and biases come on top: take fewer than 8 bits.",
    "return KMeans().prepare(model).at(6) fits. Fewer bits fit as well: how far can you go?",
)
def four_times_smaller(compress: Callable[[nn.Module], nn.Module]) -> str:
    """The file that was saved and loaded again is small, and the network nearly as accurate."""
    size, loaded = saved(compress(zoo.load("LeNet-5")))
    whole, before = _original()
    if size * RATIO > whole:
        raise NotYet(f"Your file takes {size:,} bytes, {whole / size:.2f} times smaller. It should be {RATIO} times.")
    lost = 100 * (before - accuracy(loaded, data.load()).value)
    if not lost <= LOSS:
        raise NotYet(f"Your file is {whole / size:.1f} times smaller, but it loses {lost:.2f} points. Compress less.")
    return f"{whole / size:.1f} times smaller, and {max(lost, 0):.2f} points lost. Can you do it with half the bytes?"


@functools.cache
def _original() -> tuple[int, float]:
    model = zoo.load("LeNet-5")
    return storage.size(model).total, accuracy(model, data.load()).value


EXERCISES = (kmeans_step, symmetric_quantization, four_times_smaller)
