"""The exercises of notebook 03, each against its stub, its solution and plausible wrong answers; its live pictures."""

import math
from xml.etree import ElementTree

import pytest
import torch

from labkit import zoo
from labkit.course import check, growth, ranking
from labkit.course.exercises import crossing
from labkit.structured import BlockCirculant, Circulant, LowRank, Monarch, ToeplitzLike
from labkit.structured.search import Candidate
from labkit.structured.speed import Timed, against_n
from tests.structured.test_speed import timed


def stub(*arguments):
    raise NotImplementedError


def product(c, x, conjugate=False):
    spectrum = torch.fft.rfft(c)
    return torch.fft.irfft((spectrum.conj() if conjugate else spectrum) * torch.fft.rfft(x), len(c))


def dense(c, x):
    steps = torch.arange(len(c))
    return x @ c[(steps[:, None] - steps) % len(c)].T


PRODUCTS = [
    (product, "right", "no tensor was larger"),
    (stub, "not attempted", ""),
    (lambda c, x: product(c, x, conjugate=True), "not yet", "wrong way"),
    (dense, "not yet", "form no matrix"),
    (lambda c, x: torch.fft.irfft(torch.fft.rfft(c) * torch.fft.rfft(x)), "not yet", "shape (3, 4)"),  # no length
    (lambda c, x: None, "not yet", "return"),
    (lambda c, x: x, "not yet", "C[i, j]"),
    (lambda c, x: c.nothing, "your code raised", "AttributeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), PRODUCTS)
def test_circulant_product(answer, kind, words):
    said = check("circulant product", answer)
    assert said.kind == kind and words in said.message


def gradient(c, x, dy, conjugate=True, total=True):
    turn = torch.conj if conjugate else lambda spectrum: spectrum
    output = torch.fft.rfft(dy)
    dc = output * turn(torch.fft.rfft(x))
    dc = torch.fft.irfft(dc.sum(0) if total else dc.mean(0), len(c))
    return dc, torch.fft.irfft(output * turn(torch.fft.rfft(c)), len(c))


GRADIENTS = [
    (gradient, "right", "three FFTs"),
    (stub, "not attempted", ""),
    (lambda *given: gradient(*given, conjugate=False), "not yet", "wrong way"),
    (lambda *given: gradient(*given, total=False), "not yet", "dL/dc is not the gradient"),
    (lambda *given: gradient(*given)[::-1], "not yet", "shape"),
    (lambda *given: gradient(*given)[0], "not yet", "two tensors"),
    (lambda c, x, dy: c.nothing, "your code raised", "AttributeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), GRADIENTS)
def test_circulant_gradient(answer, kind, words):
    said = check("circulant gradient", answer)
    assert said.kind == kind and words in said.message


@pytest.fixture
def machine(monkeypatch):
    """A machine on which the circulant pays from n = 512 on with one input, and from 128 with many."""
    least = {1: 512, 256: 128}

    def measured(sizes, batches, structures, budget_s):
        for batch in batches:
            for n in sizes:
                yield Timed(structures[0], n, batch, n, 4 * n, n, 1.0, timed(n, (n / least[batch]) ** 1.5 * 1.2).ratio)

    monkeypatch.setattr(crossing, "against_n", measured)


PLACES = [
    (lambda: {1: 512, 256: 128}, "right", "n = 1,024"),
    (stub, "not attempted", ""),
    (lambda: {1: 64, 256: 128}, "not yet", "64 is too small"),
    (lambda: {1: 512, 256: 1024}, "not yet", "1,024 is too large"),
    (lambda: {1: 512}, "not yet", "keys 1 and 256"),
    (lambda: 512, "not yet", "dict"),
    (lambda: {1: 500, 256: 128}, "not yet", "n is 500"),
    (lambda: {}[1], "your code raised", "KeyError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), PLACES)
def test_where_it_pays(machine, answer, kind, words):
    said = check("where it pays", answer)
    assert said.kind == kind and words in said.message


def test_where_it_pays_measures_this_machine():
    assert check("where it pays", lambda: {1: 8192, 256: 8192}).kind == "not yet"  # it pays at 4,096 on any machine


CHOICES = [
    (lambda: (BlockCirculant(), 128), "right", "79 times fewer"),
    (stub, "not attempted", ""),
    (lambda: (BlockCirculant(), 64), "not yet", "17,8"),
    (lambda: (LowRank(), 2), "not yet", "Try another structure"),
    (lambda: (BlockCirculant(), 100), "not yet", "must be one of"),
    (lambda: BlockCirculant(), "not yet", "a method of this section"),
    (lambda: (BlockCirculant, 128), "not yet", "a method of this section"),
    (lambda: [].nothing, "your code raised", "AttributeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), CHOICES)
def test_first_layer_within_a_budget(answer, kind, words):
    said = check("first layer within a budget", answer)
    assert said.kind == kind and words in said.message


def test_time_against_n_is_drawn_and_said():
    found = list(against_n(sizes=(64, 128), batches=(1, 256), rounds=3))
    shown = growth.draw(found)
    words = ElementTree.fromstring(shown.svg).find("{http://www.w3.org/2000/svg}title").text
    assert words == shown.words and "Batch 1, faster than dense: circulant: " in words and "n = 128" in words
    assert all(
        name in shown.svg
        for name in (
            "dense",
            "circulant",
            "Fastfood",
            "The layer&#x27;s file, 4 bytes a number",
            "Time with 256 inputs",
        )
    )
    assert growth.draw(found[:1]).words.startswith("Time of products")


def test_what_was_left_out_is_said(capsys, monkeypatch):
    monkeypatch.setattr(
        growth.speed, "against_n", lambda sizes, batches, budget_s: iter([timed(64, 1.0, structure="dense")])
    )
    growth.against_n(budget_s=1, sizes=(64, 128))
    assert "Left out, since they would take longer than 1 s: n = 128." in capsys.readouterr().out


def test_the_ranking_is_drawn_with_its_numbers_and_who_dropped_out():
    model = zoo.build("LeNet-300-100")
    shown = ranking.draw(
        [
            Candidate(Monarch(), 4, 4336, model, 0.85, 2),
            Candidate(ToeplitzLike(), 2, 3136, model, 0.8, 1),
            Candidate(Circulant(), 1, 784, model),
        ],
        "fc1",
        8_000,
    )
    assert "Monarch, blocks 4: 85.0 %, 4,336 numbers, 3 short epochs" in shown.words
    assert "Circulant, layers 1: 784 numbers, not trained yet" in shown.words
    assert shown.svg.count('fill="none"') == 2 and math.isnan(Candidate(Circulant(), 1, 784, model).accuracy)
