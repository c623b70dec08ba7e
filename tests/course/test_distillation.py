"""The exercises of notebook 06, each against its stub, its solution and plausible wrong answers; two things by hand."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch
from torch.nn import functional as F

from labkit import data, zoo
from labkit.course import check, looking, softening
from labkit.course.exercises import small_student
from labkit.distillation import LabelsAlone, LogitRegression, ShuffledTeacher, SoftTargets
from labkit.distillation.losses import soft_loss
from labkit.measure import outputs


def stub(*arguments):
    raise NotImplementedError


def loss(power=2, heat=lambda T: T, mean="batchmean", turn=lambda w: w):
    def value(z, v, labels, T, weight):
        T, weight = heat(T), turn(weight)
        soft = F.kl_div((z / T).log_softmax(1), (v / T).softmax(1), reduction=mean)
        return (1 - weight) * F.cross_entropy(z, labels) + weight * T**power * soft

    return value


def crossed(z, v, labels, T, weight):
    """The cross-entropy with the soft targets: the entropy of the teacher more, and the same gradient."""
    soft = -((v / T).softmax(1) * (z / T).log_softmax(1)).sum(1).mean()
    return (1 - weight) * F.cross_entropy(z, labels) + weight * T**2 * soft


LOSS = [
    (loss(), "right", "gradient"),
    (crossed, "right", "gradient"),
    (lambda z, v, y, T, w: (1 - w) * F.cross_entropy(z, y) + w * soft_loss(z, v, T), "right", "gradient"),
    (stub, "not attempted", ""),
    (loss(power=0), "not yet", "multiply it by T**2"),
    (loss(turn=lambda w: 1 - w), "not yet", "changed places"),
    (loss(mean="none"), "not yet", "one number"),
    (loss(heat=lambda T: 1.0), "not yet", "divided by T"),
    (lambda z, v, y, T, w: soft_loss(v, z, T), "not yet", "target"),
    (lambda z, v, y, T, w: len(z) * crossed(z, v, y, T, w), "not yet", "mean"),
    (lambda z, v, y, T, w: torch.tensor(1.0), "not yet", "does not depend"),
    (lambda z, v, y, T, w: F.cross_entropy(z, y, reduction="none"), "not yet", "one number"),
    (lambda z, v, y, T, w: None, "not yet", "return"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), LOSS)
def test_distillation_loss(answer, kind, words):
    said = check("distillation loss", answer)
    assert said.kind == kind and words in said.message


ATTENTION = [
    (lambda maps: F.normalize(maps.square().sum(1).flatten(1)), "right", "regressor"),
    (stub, "not attempted", ""),
    (lambda maps: maps.square().sum(1).flatten(1), "not yet", "length 1"),
    (lambda maps: F.normalize(maps.abs().sum(1).flatten(1)), "not yet", "p = 2"),
    (lambda maps: F.normalize(maps.sum(1).flatten(1)), "not yet", "negative"),
    (lambda maps: F.normalize(maps.square().amax(1).flatten(1)), "not yet", "add up the squares"),
    (lambda maps: maps.square().sum(1), "not yet", "shape"),
    (lambda maps: None, "not yet", "return"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), ATTENTION)
def test_attention_map(answer, kind, words):
    said = check("attention map", answer)
    assert said.kind == kind and words in said.message


def resemblance(targets, labels, cleared=True, scaled=True):
    alike = torch.stack([targets[labels == i].mean(0) for i in range(targets.shape[1])])
    alike = alike.fill_diagonal_(0) if cleared else alike
    return alike / alike.sum(1, keepdim=True) if scaled else alike


ALIKE = [
    (resemblance, "right", "a shirt is most like a t-shirt"),
    (stub, "not attempted", ""),
    (lambda targets, labels: resemblance(targets, labels, cleared=False), "not yet", "diagonal"),
    (lambda targets, labels: resemblance(targets, labels, scaled=False), "not yet", "add up to 1"),
    (lambda targets, labels: resemblance(targets, labels.roll(1)), "not yet", "the mean over the pictures"),
    (lambda targets, labels: targets, "not yet", "a row for each class"),
    (lambda targets, labels: None, "not yet", "a row for each class"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), ALIKE)
def test_dark_knowledge(answer, kind, words):
    said = check("dark knowledge", answer)
    assert said.kind == kind and words in said.message


BUDGET = [
    (lambda: ShuffledTeacher(), "not yet", "method of this section"),
    (stub, "not attempted", ""),
    (lambda: SoftTargets, "not yet", "method of this section"),
    (lambda: SoftTargets(temperature=0), "your code raised", "above 0"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), BUDGET)
def test_a_student_of_ten_thousand_numbers(answer, kind, words):
    said = check("a student of 10,000 numbers", answer)
    assert said.kind == kind and words in said.message


def test_a_student_is_weighed_against_the_plain_one(monkeypatch):
    """On few pictures: what counts here is which of the two answers it gets, and that both were trained."""
    monkeypatch.setattr(small_student, "PICTURES", 640)
    monkeypatch.setattr(small_student, "RECIPE", replace(small_student.RECIPE, epochs=1))
    monkeypatch.setattr(small_student, "POINTS", -100.0)
    assert "Logit regression" in check("a student of 10,000 numbers", LogitRegression).message
    monkeypatch.setattr(small_student, "POINTS", 100.0)
    said = check("a student of 10,000 numbers", SoftTargets)
    assert said.kind == "not yet" and "should be at least 100 more" in said.message


@pytest.mark.parametrize("temperature", [0.5, 1, 100])
def test_softened_answers_are_drawn_with_their_entropy(temperature):
    clothes, teacher = data.load(), zoo.load("VGG")
    images, label = clothes.validation.images[:1], int(clothes.validation.labels[0])
    z = outputs(teacher, clothes, images)[0]
    drawn = softening.draw(z, images[0, 0], label, temperature, clothes.classes)
    p = (z / temperature).softmax(0)
    bits = float(-(p * p.log2()).nan_to_num().sum())
    assert f"Entropy {bits:.2f} bits" in repr(drawn) and clothes.classes[int(p.argmax())] in repr(drawn)
    bars = [one for one in ElementTree.fromstring(drawn.svg).iter() if one.get("fill") == "#0072b2"]
    assert [round(float(bar.get("width")) / softening.LONG, 2) for bar in bars] == [round(float(x), 2) for x in p]


def test_hard_pictures_come_first_to_be_softened():
    clothes, teacher = data.load(), zoo.load("VGG")
    found = softening.pictures_of(teacher, clothes)
    assert len(found) == 20 and found[0][0] == "T-shirt, hard" and found[10][0] == "T-shirt"
    sure = outputs(teacher, clothes, clothes.validation.images[[index for _, index in found]]).softmax(1)
    entropy = torch.special.entr(sure).sum(1)
    assert bool((entropy[:10] >= entropy[10:]).all())
    assert [int(clothes.validation.labels[index]) for _, index in found] == [*range(10), *range(10)]


@pytest.mark.parametrize("kind", ["sum", "power", "max"])
def test_attention_maps_are_drawn_with_the_distance_to_the_teacher(kind):
    clothes, teacher = data.load(), zoo.load("VGG")
    torch.manual_seed(0)
    students = {"itself": teacher, "untrained": LabelsAlone().prepare(teacher).at(0.125)}
    image = clothes.normalise(clothes.validation.images[:1])
    drawn = looking.draw(teacher, students, image, kind, clothes.classes)
    tiles = [one for one in ElementTree.fromstring(drawn.svg).iter() if one.tag.endswith("image")]
    assert len(tiles) == 1 + 3 * looking.MOST
    said = [float(part.split()[0].strip(";.")) for part in repr(drawn).split("distance to the teacher ")[1:]]
    assert said[0] == 0 < said[1] and "itself" in repr(drawn)


def test_a_student_without_such_maps_cannot_be_looked_at():
    with pytest.raises(ValueError, match="no maps as high and as wide"):
        looking.look_by_hand(zoo.load("VGG"), {"flat": zoo.load("LeNet-300-100")})
