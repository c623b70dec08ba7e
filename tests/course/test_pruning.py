"""The exercises of notebook 02, each against its stub, its solution and plausible wrong answers."""

import pytest
import torch

from labkit.course import check
from labkit.pruning import Magnitude
from labkit.pruning.filters import prune_filters


def stub(*arguments):
    raise NotImplementedError


def masks(weights, sparsity):
    together = torch.cat([weight.abs().flatten() for weight in weights])
    count = round(sparsity * len(together))
    cut = together.sort().values[count - 1] if count else -1
    return [weight.abs() > cut for weight in weights]


def each_layer_alone(weights, sparsity):
    return [masks([weight], sparsity)[0] for weight in weights]


def signed(weights, sparsity):
    together = torch.cat([weight.flatten() for weight in weights])
    order = together.argsort()
    keep = torch.ones(len(together), dtype=torch.bool)
    keep[order[: round(sparsity * len(together))]] = False
    return [part.view(w.shape) for part, w in zip(keep.split([w.numel() for w in weights]), weights, strict=True)]


THRESHOLDS = [
    (masks, "right", "one threshold"),
    (stub, "not attempted", ""),
    (each_layer_alone, "not yet", "another place"),
    (signed, "not yet", "another place"),
    (lambda w, s: masks(w, 1 - s), "not yet", "should keep"),
    (lambda w, s: masks(w, s)[0], "not yet", "list"),
    (lambda w, s: [mask * weight for mask, weight in zip(masks(w, s), w, strict=True)], "not yet", "other than 0"),
    (lambda w, s: w.nothing, "your code raised", "AttributeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), THRESHOLDS)
def test_one_threshold(answer, kind, words):
    said = check("one threshold", answer)
    assert said.kind == kind and words.lower() in said.message.lower()


SALIENCIES = [
    (lambda w, h: 0.5 * h * w**2, "right", "magnitude"),
    (stub, "not attempted", ""),
    (lambda w, h: h * w**2, "not yet", "costs"),
    (lambda w, h: 0.5 * h * w.abs(), "not yet", "costs"),
    (lambda w, h: (0.5 * h * w**2).sum(), "not yet", "a number for each"),
    (lambda w, h: w.nothing, "your code raised", "AttributeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), SALIENCIES)
def test_obd_saliency(answer, kind, words):
    said = check("OBD saliency", answer)
    assert said.kind == kind and words in said.message


def damage(before, after, gram):
    change = after - before
    return (change * (change @ gram)).sum() / (before * (before @ gram)).sum()


DAMAGES = [
    (damage, "right", "conv1"),
    (stub, "not attempted", ""),
    (lambda b, a, g: (b - a).square().sum() / b.square().sum(), "not yet", "mean square"),
    (lambda b, a, g: damage(b, a, g) * (b * (b @ g)).sum(), "not yet", "mean square"),
    (lambda b, a, g: damage(b, a, g).sqrt(), "not yet", "mean square"),
    (lambda b, a, g: (a - b) @ g, "not yet", "one number"),
    (lambda b, a, g: b.nothing, "your code raised", "AttributeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), DAMAGES)
def test_damage_to_a_layer(answer, kind, words):
    said = check("damage to a layer", answer)
    assert said.kind == kind and words in said.message


def prune(**stay):
    return lambda model: prune_filters(model, stay, (1, 28, 28))


THINNER = [
    (prune(conv1=16, conv2=44), "right", "fewer multiplications"),
    (stub, "not attempted", ""),
    (lambda model: model, "not yet", "still multiplies"),
    (lambda model: Magnitude().prepare(model).at(0.5), "not yet", "Zeros do not count"),
    (prune(conv1=17, conv2=42, fc1=425), "not yet", "loses"),  # the same share of each
    (lambda model: None, "not yet", "thinner(model) gave NoneType"),
    (lambda model: prune_filters(model, {"conv9": 3}, (1, 28, 28)), "your code raised", "conv9"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), THINNER)
def test_fewer_multiplications(answer, kind, words):
    said = check("fewer multiplications", answer)
    assert said.kind == kind and words in said.message
