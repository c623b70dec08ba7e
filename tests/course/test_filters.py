"""The exercises of notebook 05, each against its stub, its solution and plausible wrong answers; turning by hand."""

from xml.etree import ElementTree

import pytest
import torch

from labkit import data, zoo
from labkit.benchmark.point import Point
from labkit.benchmark.results import Entry
from labkit.course import check, turning
from labkit.course.exercises import fewer_macs
from labkit.filters import P4, CReLU, DepthwiseSeparable, Fire, Thinner


def stub(*arguments):
    raise NotImplementedError


def halves(one, two, dim=1):
    return lambda z: torch.cat((one(z), two(z)), dim)


CRELU = [
    (halves(torch.relu, lambda z: torch.relu(-z)), "right", "nothing is lost"),
    (stub, "not attempted", ""),
    (halves(torch.relu, torch.relu), "not yet", "the second one is of -z"),
    (halves(torch.relu, lambda z: -torch.relu(-z)), "not yet", "negative"),
    (halves(torch.abs, torch.abs), "not yet", "the same"),
    (halves(torch.relu, lambda z: torch.relu(-z), 0), "not yet", "along dimension 1"),
    (halves(lambda z: torch.relu(z) + 1, lambda z: torch.relu(-z) + 1), "not yet", "both halves are above 0"),
    (halves(lambda z: torch.relu(-z), torch.relu), "not yet", "should give z back"),
    (torch.relu, "not yet", "shape"),
    (lambda z: None, "not yet", "return"),
    (lambda z: z.nothing, "your code raised", "AttributeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), CRELU)
def test_concatenated_relu(answer, kind, words):
    said = check("concatenated ReLU", answer)
    assert said.kind == kind and words in said.message


def lifted(filters, turns=(0, 1, 2, 3), dim=1):
    return torch.stack([torch.rot90(filters, r, (2, 3)) for r in turns], dim).flatten(0, 1)


LIFTING = [
    (lifted, "right", "for any filters"),
    (lambda f: lifted(f, (0, 3, 2, 1)), "right", "for any filters"),  # clockwise
    (stub, "not attempted", ""),
    (lambda f: lifted(f, (0, 2, 1, 3)), "not yet", "one quarter more"),
    (lambda f: lifted(f, (0, 0, 0, 0)), "not yet", "one quarter more"),
    (lambda f: lifted(f, dim=0), "not yet", "stand beside each other"),
    (lambda f: lifted(f, (0, 1)), "not yet", "four orientations"),
    (lambda f: torch.randn(4 * len(f), *f.shape[1:]), "not yet", "one of its four orientations"),
    (lambda f: None, "not yet", "return"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), LIFTING)
def test_lifting_layer(answer, kind, words):
    said = check("lifting layer", answer)
    assert said.kind == kind and words in said.message


def picture(index=1):
    return data.load().validation.images[index, 0]


POINTS = [
    (lambda: (picture(), torch.rot90(picture(), 1, (0, 1))), "right", "the same answer"),
    (stub, "not attempted", ""),
    (lambda: (picture(), picture()), "not yet", "nobody can tell"),
    (lambda: (picture(1), picture(2)), "not yet", "the same pixels"),
    (lambda: (picture(15), picture(15).flip(0)), "not yet", "VGG calls both"),  # a bag upside down is a bag
    (lambda: (picture().float(), picture().float()), "not yet", "uint8"),
    (lambda: picture(), "not yet", "two tensors"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), POINTS)
def test_where_points_lose(answer, kind, words):
    said = check("where 1 x 1 filters lose", answer)
    assert said.kind == kind and words in said.message


SHIPPED = {
    ("Thinner", 1): 92.0,
    ("DepthwiseSeparable", 0.875): 91.0,
    ("DepthwiseSeparable", 0.75): 90.2,
    ("Fire", 0.125): 90.0,
}
MACS = [
    (lambda: (DepthwiseSeparable(), 0.875), "right", "8.9 times fewer multiplications"),
    (lambda: (DepthwiseSeparable(), 0.75), "not yet", "1.8 points less"),
    (stub, "not attempted", ""),
    (lambda: (DepthwiseSeparable(), 1.0), "not yet", "7.0 times fewer"),
    (lambda: (CReLU(), 2), "not yet", "2.0 times fewer"),
    (lambda: (P4(), 4), "not yet", "1.0 times fewer"),
    (lambda: (Fire(), 0.125), "not yet", "2.0 points less"),
    (lambda: (Thinner(), 0.125), "not yet", "no run of it is shipped"),
    (lambda: (DepthwiseSeparable(), 0.3), "not yet", "must be one of"),
    (lambda: DepthwiseSeparable(), "not yet", "should return a method"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), MACS)
def test_eight_times_fewer(answer, kind, words, monkeypatch):
    entries = [
        Entry(
            Point("VGG", "FashionMNIST", f"filters.{method}", value, train={"epochs": 2}),
            {"accuracy": {"validation": [round(50 * share), 5000]}},
        )
        for (method, value), share in SHIPPED.items()
    ]
    monkeypatch.setattr(fewer_macs.results, "read", lambda sweep: entries)
    said = check("eight times fewer multiplications", answer)
    assert said.kind == kind and words in said.message


def networks():
    equivariant = P4().prepare(zoo.load("P4CNN", "MNIST-rotated")).at(4)
    return {"plain": (zoo.load("Z2CNN", "MNIST-rotated"), 1), "p4": (equivariant, 4)}


@pytest.mark.parametrize("degrees", [0, 90, 45])
def test_a_turned_picture_is_drawn_with_the_error_of_each_network(degrees):
    loaded = data.load("MNIST-rotated")
    image = loaded.normalise(loaded.validation.images[:1])
    drawn = turning.draw(networks(), image, degrees, "relu2", loaded.classes)
    root = ElementTree.fromstring(drawn.svg)
    tiles = [one for one in root.iter() if one.tag.endswith("image")]
    assert len(tiles) == 1 + 2 * 2 * turning.SHOWN
    assert f"turned by {degrees} degrees" in repr(drawn) and repr(drawn) in drawn.svg
    plain, p4 = (float(part.split()[0].strip(";.")) for part in repr(drawn).split("equivariance error ")[1:])
    assert (plain < 1e-5) == (degrees == 0) and (p4 < 1e-5) == (degrees != 45)


def test_the_slider_draws_anew_and_its_choices_are_classes_and_layers():
    box = turning.turn_by_hand(networks(), layers=("relu2", "relu6"))
    (angle, which, layer), picture = box.children[0].children, box.children[1]
    assert len(which.options) == 10 and layer.options == ("relu2", "relu6")
    before = picture.value
    angle.value = 90
    assert picture.value != before and "turned by 90 degrees" in picture.value
    layer.value = "relu6"
    assert "maps of relu6" in picture.value
    which.value = dict(which.options)["7"]
    assert "upright it says" in picture.value
