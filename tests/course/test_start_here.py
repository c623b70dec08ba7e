"""The exercises of notebook 00, each against its stub, its solution and plausible wrong answers."""

import pytest
import torch

from labkit import zoo
from labkit.course import check
from labkit.course.exercises import EXERCISES
from labkit.pruning import Magnitude
from labkit.quantization import KMeans


def stub(*arguments):
    raise NotImplementedError


def keeps(score):
    """A mask that keeps the weights with the highest score."""

    def mask(weight, sparsity):
        keep = torch.ones(weight.numel(), dtype=torch.bool)
        keep[score(weight).flatten().argsort()[: round(sparsity * weight.numel())]] = False
        return keep.view(weight.shape)

    return mask


def share_of_the_largest(weight, sparsity):
    return weight.abs() > sparsity * weight.abs().max()


def one_too_many(weight, sparsity):
    cut = round(sparsity * weight.numel())
    ordered = weight.abs().flatten().sort().values
    return weight.abs() >= ordered[max(cut - 1, 0)]


MASKS = [
    (keeps(torch.abs), "right", ""),
    (lambda weight, sparsity: keeps(torch.abs)(weight, sparsity).float(), "right", ""),  # 1 and 0 say it too
    (stub, "not attempted", ""),
    (keeps(lambda weight: weight), "not yet", "farther from zero"),  # forgot the sign
    (keeps(lambda weight: -weight.abs()), "not yet", "farther from zero"),  # the wrong way round
    (share_of_the_largest, "not yet", "should keep"),
    (one_too_many, "not yet", "keeps 4 of 6 weights, but should keep 3"),
    (lambda weight, sparsity: weight * keeps(torch.abs)(weight, sparsity), "not yet", "numbers other than 0 and 1"),
    (lambda weight, sparsity: keeps(torch.abs)(weight, sparsity).flatten(), "not yet", "shape"),
    (lambda weight, sparsity: torch.full_like(weight, float("nan")), "not yet", "numbers other than 0 and 1"),
    (lambda weight, sparsity: keeps(torch.abs)(weight, sparsity).numpy(), "not yet", "ndarray"),
    (lambda weight, sparsity: None, "not yet", "return"),
    (lambda weight, sparsity: weight.nothing, "your code raised", "AttributeError"),
]


def in_place(weight, sparsity):
    kept = keeps(torch.abs)(weight, sparsity)
    weight *= kept  # what it got is a copy: the check does not fall for it
    return torch.ones_like(kept)


@pytest.mark.parametrize(("mask", "kind", "words"), [*MASKS, (in_place, "not yet", "should keep")])
def test_magnitude_mask(mask, kind, words):
    said = check("magnitude mask", mask)
    assert said.kind == kind and words in said.message


def pair(sparsity, bits):
    return lambda model: KMeans().prepare(Magnitude().prepare(model).at(sparsity)).at(bits)


BUDGETS = [
    (pair(0.85, 4), "right", "bytes"),
    (stub, "not attempted", ""),
    (lambda model: KMeans().prepare(model).at(4), "not yet", "too many"),
    (pair(0.97, 4), "not yet", "points"),
    (lambda model: zoo.build("LeNet-300-100"), "not yet", "too many"),
    (lambda model: 63_000, "not yet", "should give a network"),
    (lambda model: None, "not yet", "return"),
    (lambda model: KMeans().prepare(model).at(4.5), "your code raised", "must be one of"),
]


@pytest.mark.parametrize(("compress", "kind", "words"), BUDGETS)
def test_file_within_a_budget(compress, kind, words):
    said = check("file within a budget", compress)
    assert said.kind == kind and words in said.message


def test_every_exercise_has_its_own_name_and_is_tested_here():
    assert set(EXERCISES) >= {"magnitude mask", "file within a budget"}
