"""The exercises of notebook 01, each against its stub, its solution and plausible wrong answers."""

import pytest
import torch

from labkit.course import check
from labkit.quantization import KMeans


def stub(*arguments):
    raise NotImplementedError


def step(weights, centroids):
    nearest = (weights[:, None] - centroids).abs().argmin(1)
    moved = centroids.clone()
    for k in range(len(centroids)):
        if (nearest == k).any():
            moved[k] = weights[nearest == k].mean()
    return moved


def empties_become_nan(weights, centroids):
    nearest = (weights[:, None] - centroids).abs().argmin(1)
    return torch.stack([weights[nearest == k].mean() for k in range(len(centroids))])


def medians(weights, centroids):
    nearest = (weights[:, None] - centroids).abs().argmin(1)
    groups = [weights[nearest == k] for k in range(len(centroids))]
    return torch.stack([g.median() if len(g) else c for g, c in zip(groups, centroids, strict=True)])


STEPS = [
    (step, "right", ""),
    (stub, "not attempted", ""),
    (empties_become_nan, "not yet", "no weights"),
    (medians, "not yet", "belongs at"),
    (lambda weights, centroids: centroids, "not yet", "belongs at"),
    (lambda weights, centroids: weights, "not yet", "shape"),
    (lambda weights, centroids: None, "not yet", "return"),
    (lambda weights, centroids: weights.nothing, "your code raised", "AttributeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), STEPS)
def test_kmeans_step(answer, kind, words):
    said = check("k-means step", answer)
    assert said.kind == kind and words in said.message


def quantize(weight, bits, top=None, dtype=torch.int8, whole=False):
    top = 2 ** (bits - 1) - 1 if top is None else top(bits)
    flat = weight.flatten(1)
    scale = flat.abs().amax(1).clamp_min(1e-12) / top
    if whole:
        scale = scale.max().expand_as(scale)
    codes = (flat / scale[:, None]).round().view(weight.shape).to(dtype)
    return codes, scale


GRIDS = [
    (quantize, "right", ""),
    (stub, "not attempted", ""),
    (lambda w, b: quantize(w, b, whole=True), "not yet", "scale of its own"),
    (lambda w, b: quantize(w, b, top=lambda bits: 2 ** (bits - 1)), "not yet", "reach"),
    (lambda w, b: quantize(w, b, top=lambda bits: 2 ** (bits - 1) - 1, dtype=torch.int32), "not yet", "one byte"),
    (lambda w, b: (quantize(w, b)[0], quantize(w, b)[1].max()), "not yet", "shape"),
    (lambda w, b: ((w.flatten(1) / quantize(w, b)[1][:, None]).to(torch.int8).view(w.shape), quantize(w, b)[1]),
     "not yet", "nearest"),  # cut off instead of rounded
    (lambda w, b: quantize(w, b)[0], "not yet", "pair"),
    (lambda w, b: w.nothing, "your code raised", "AttributeError"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "kind", "words"), GRIDS)
def test_symmetric_quantization(answer, kind, words):
    said = check("symmetric quantization", answer)
    assert said.kind == kind and words in said.message


BUDGETS = [
    (lambda model: KMeans().prepare(model).at(6), "right", "times smaller"),
    (stub, "not attempted", ""),
    (lambda model: model, "not yet", "1.00 times smaller"),
    (lambda model: KMeans().prepare(model).at(2), "not yet", "points"),
    (lambda model: None, "not yet", "return"),
    (lambda model: KMeans().prepare(model).at(40), "your code raised", "must be one of"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), BUDGETS)
def test_four_times_smaller(answer, kind, words):
    said = check("four times smaller", answer)
    assert said.kind == kind and words in said.message


PRICES = [
    (lambda before, after, h: 0.5 * (h * (after - before) ** 2).sum(), "right", "conv1: 288 weights"),
    (stub, "not attempted", ""),
    (lambda before, after, h: (h * (after - before) ** 2).sum(), "not yet", "should give"),  # forgot the half
    (lambda before, after, h: 0.5 * ((after - before) ** 2).sum(), "not yet", "should give"),  # forgot the curvature
    (lambda before, after, h: 0.5 * h * (after - before) ** 2, "not yet", "one number"),
    (lambda before, after, h: None, "not yet", "one number"),
    (lambda before, after, h: h @ before @ after, "your code raised", "RuntimeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), PRICES)
def test_price_of_one_bit(answer, kind, words):
    said = check("price of one bit", answer)
    assert said.kind == kind and words in said.message
