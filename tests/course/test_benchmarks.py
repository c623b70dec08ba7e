"""The exercises of notebook 08, each against its stub, its solution and wrong answers; pictures of the data."""

from xml.etree import ElementTree

import numpy as np
import pytest

from labkit.course import check, datasets
from labkit.pruning import DeepCompression
from labkit.quantization import KMeans


def stub(*arguments):
    raise NotImplementedError


FIGURES = [
    (lambda a, b, s, t: (a / b, (a - b) / a, s / t), "right", "no share"),
    (lambda a, b, s, t: [a / b, 1 - b / a, s / t], "right", "no share"),
    (stub, "not attempted", ""),
    (lambda a, b, s, t: (a / b, (a - b) / b, s / t), "not yet", "as printed"),
    (lambda a, b, s, t: (b / a, (a - b) / a, s / t), "not yet", "upside down"),
    (lambda a, b, s, t: (a / b, (a - b) / a, t / s), "not yet", "upside down"),
    (lambda a, b, s, t: (a / b, 100 * (a - b) / a, s / t), "not yet", "space saving"),
    (lambda a, b, s, t: a / b, "not yet", "three numbers"),
    (lambda a, b, s, t: (a / b, None, s / t), "not yet", "plain numbers"),
    (lambda a, b, s, t: 1 / 0, "your code raised", "division"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), FIGURES)
def test_three_figures(answer, kind, words):
    said = check("three figures", answer)
    assert said.kind == kind and words in said.message


def factors(codebook=True, gaps=True, factor=32):
    def count(weights, kept, bits, gap):
        book = 32 * 2**bits if codebook and bits < 32 else 0
        return weights / kept, factor * weights / (kept * (bits + gap * gaps) + book)

    return count


FACTORS = [
    (factors(), "right", "compare only where"),
    (stub, "not attempted", ""),
    (factors(codebook=False), "not yet", "codebook"),
    (factors(gaps=False), "not yet", "gaps are missing"),
    (factors(factor=1), "not yet", "second factor"),
    (lambda w, k, b, g: (k / w, factors()(w, k, b, g)[1]), "not yet", "first factor"),
    (lambda w, k, b, g: w / k, "not yet", "two factors"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), FACTORS)
def test_two_papers(answer, kind, words):
    said = check("two papers' factors", answer)
    assert said.kind == kind and words in said.message


def judge(ratios=lambda b, a, o: b / o, middle=np.median, control=lambda b, a, o: np.percentile(b / a, 95), own=True):
    def real(b, a, o):
        found = ratios(b, a, o)
        return bool(middle(found) > control(b, a, o) and (not own or np.percentile(found, 5) > 1))

    return real


REAL = [
    (judge(), "right", "leaves the control behind"),
    (judge(control=lambda b, a, o: np.max(b / a)), "right", ""),
    (stub, "not attempted", ""),
    (judge(control=lambda b, a, o: 1.0, own=False), "not yet", "is no faster"),
    (lambda b, a, o: bool(b.mean() / o.mean() > 1.04), "not yet", "not a median"),
    (judge(control=lambda b, a, o: 1.0), "not yet", "ran again"),
    (lambda b, a, o: bool(b.min() > o.max() and b.min() > a.max()), "not yet", "is real"),
    (lambda b, a, o: bool(abs(np.log(np.median(b / o))) > np.log(np.percentile(b / a, 95))), "not yet", "no speed-up"),
    (lambda b, a, o: 2.0, "not yet", "True or False"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), REAL)
def test_is_it_real(answer, kind, words):
    said = check("is it real?", answer)
    assert said.kind == kind and words in said.message


DEVICE = [
    (lambda model, pictures: DeepCompression().prepare(model, pictures).at(0.85), "right", "on the test pictures"),
    (stub, "not attempted", ""),
    (lambda model, pictures: KMeans().prepare(model).at(3), "not yet", "times what the device has"),
    (lambda model, pictures: DeepCompression().prepare(model).at(0.98), "not yet", "are wanted"),
    (lambda model, pictures: None, "not yet", "return"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), DEVICE)
def test_a_64_kb_device(answer, kind, words):
    said = check("a 64 KB device", answer)
    assert said.kind == kind and words in said.message


def test_pictures_of_the_data_sets():
    drawing = datasets.pictures()
    root = ElementTree.fromstring(drawing.svg)
    assert len([one for one in root.iter() if one.tag.endswith("image")]) == 10 * len(datasets.HERE)
    assert "Trouser" in drawing.words and root.attrib["role"] == "img"


def test_sizes_of_the_data_sets():
    rows = {row[0][0]: row for row in datasets.table().rows}
    assert [cell[0] for cell in rows["MNIST"][1:6]] == ["1 × 28 × 28", "10", "55,000", "5,000", "10,000"]
    assert [cell[0] for cell in rows["MNIST-rotated"][3:6]] == ["12,000", "2,000", "50,000"]
    assert rows["FashionMNIST"][6][0].endswith("%") and rows["MNIST-noise"][6][0] == "none"
