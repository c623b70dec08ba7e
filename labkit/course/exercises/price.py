"""The last exercise of notebook 01: what one bit costs, expected and measured."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional

from labkit import data, layers, zoo
from labkit.course.checks import NotYet, exercise
from labkit.curvature import diagonal
from labkit.quantization import KMeans


@exercise(
    "price of one bit",
    "A change d of one weight raises the loss by about h d^2 / 2, where h is the curvature of the loss in that weight.",
    "Add that up over all weights of the layer. before, after and curvature have the same shape.",
    "return 0.5 * (curvature * (after - before) ** 2).sum()",
)
def price_of_one_bit(price: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """The second-order estimate of what a change of the weights costs, then beside what it did cost."""
    before, after, curvature = torch.randn(3, 20, 30, generator=torch.Generator().manual_seed(0))
    curvature = curvature.square()
    cases = [(before, after, curvature), (before, before, curvature), (before, after, torch.zeros_like(curvature))]
    cases.append((torch.zeros(2), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 0.5])))
    for one, two, h in cases:
        answer = price(one.clone(), two.clone(), h.clone())
        expected = float((h * (two - one).square()).sum() / 2)
        if not isinstance(answer, (int, float)) and not (isinstance(answer, Tensor) and answer.numel() == 1):
            raise NotYet("price(before, after, curvature) should give one number for the whole layer: add it all up.")
        if not abs(float(answer) - expected) <= 1e-4 * max(1.0, abs(expected)):
            raise NotYet(f"price gave {float(answer):.4g} for a layer where it should give {expected:.4g}.")
    return _beside(price)


def _beside(price: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Show the learner's price for one bit in each layer of VGG beside the rise of the loss."""
    lines, prices, rises = [], [], []
    for layer, before, after, curvature, rise in _one_bit_each():
        prices.append(float(price(before.clone(), after.clone(), curvature.clone())))
        rises.append(rise)
        lines.append(f"{layer}: {before.numel():,} weights, price {prices[-1]:.4f}, the loss rose by {rise:.3f}")
    order = float(spearmanr(prices, rises).statistic)
    return (
        "One bit in one layer of VGG at a time, on 1,000 validation pictures:\n" + "\n".join(lines) + "\n"
        f"The rank correlation is {order:.2f} (1: the same order). What costs most is not where most weights are: an "
        "early weight is used all over the picture, and its error passes through all that follows. The prices are too "
        "low, since one bit is no small change: errors of many weights add up, which a diagonal cannot see."
    )


@functools.cache
def _one_bit_each() -> list[tuple[str, Tensor, Tensor, Tensor, float]]:
    """For each layer of VGG: its weights before and at one bit, their curvature, and how much the loss rises."""
    model, pictures = zoo.load("VGG"), data.load()
    curvature, part = diagonal(model, pictures), pictures.validation.take(slice(0, 1000))

    @torch.inference_mode()
    def loss(network: nn.Module) -> float:
        images = pictures.normalise(part.images).split(200)
        return float(functional.cross_entropy(torch.cat([network(some) for some in images]), part.labels))

    found, original = [], loss(model)
    for layer in layers.layers(model):
        small = KMeans().prepare(model, where=layer).at(1)
        before, after = (net.get_submodule(layer).weight().detach() for net in (model, small))
        found.append((layer, before, after, curvature[f"{layer}.weight"], loss(small) - original))
    return found


EXERCISES = (price_of_one_bit,)
