"""A teacher may be any network; what it answered once it is not asked again, unless the pictures move."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from labkit import data, zoo
from labkit.distillation import AttentionTransfer, Hints, LogitRegression, SoftTargets
from labkit.distillation.answers import Answers
from labkit.inside import last_of_same_size
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from tests.pictures import few


class Counted(nn.Module):
    """A teacher that counts the pictures that it saw."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.seen = inner, 0

    def forward(self, x):
        self.seen += len(x)
        return self.inner(x)


def test_answers_are_the_teachers_and_asked_for_once():
    pictures = few(100, 10)
    teacher = Counted(zoo.load("LeNet-300-100"))
    answers = Answers(teacher, pictures.train)
    for batch in (torch.arange(40), torch.arange(20, 70), torch.arange(69, -1, -1)):
        x = pictures.normalise(pictures.train.images[batch])
        assert torch.allclose(answers(x, batch), teacher.inner(x), atol=1e-5)
    assert teacher.seen == 70
    answers(x, None)
    assert teacher.seen == 140  # pictures that move are seen anew


@pytest.mark.parametrize(("shift", "times"), [(0, 1), (1, 2)])
def test_a_student_asks_in_every_epoch_only_where_pictures_move(shift, times, monkeypatch):
    pictures = few(256, 10)
    teacher = Counted(zoo.load("LeNet-300-100"))
    monkeypatch.setattr("labkit.distillation.student.deployed", lambda model: model)
    curve = SoftTargets().prepare(zoo.load("LeNet-300-100"), pictures)
    curve.teacher = teacher
    list(curve.train(0.25, pictures, replace(SoftTargets.recipe, epochs=2, shift=shift)))
    assert teacher.seen == times * 256
    list(curve.train(0.25, pictures, replace(SoftTargets.recipe, epochs=1, shift=shift)))
    assert teacher.seen == times * 256 + (256 if shift else 0)
    list(curve.train(0.25, few(256, 10), replace(SoftTargets.recipe, epochs=1)))
    assert teacher.seen == times * 256 + (512 if shift else 256)  # other pictures


def test_remembered_answers_teach_the_same():
    pictures = few(256, 10)
    students = []
    for remembered in (True, False):
        torch.manual_seed(0)
        curve = LogitRegression(zoo.load("LeNet-5")).prepare(zoo.load("LeNet-300-100"), pictures)
        if not remembered:
            curve.answers(pictures, "cpu").known = torch.zeros(256, dtype=torch.bool)
        *_, (_, student) = curve.train(0.25, pictures)
        students.append(student.state_dict())
    assert all(torch.equal(numbers, students[1][name]) for name, numbers in students[0].items())


def test_the_teacher_is_the_network_itself_or_another_one():
    clothes = data.load().few(256)
    network = zoo.load("LeNet-300-100")
    assert SoftTargets().prepare(network).teacher is network
    named = SoftTargets(teacher="LeNet-5").prepare(network, clothes)
    x = clothes.normalise(clothes.validation.images[:2])
    assert torch.equal(named.teacher(x), zoo.load("LeNet-5")(x)) and named.at(0.5).fc1.weight.shape == (150, 784)
    assert SoftTargets(teacher="LeNet-5 plain").teacher_for(network, data.load("MNIST")).origin[0] == "LeNet-5"
    with pytest.raises(ValueError, match="call prepare\\(model, data\\)"):
        SoftTargets(teacher="LeNet-5").prepare(network)
    with pytest.raises(FileNotFoundError, match="no trained LeNet-50"):
        SoftTargets(teacher="LeNet-50").prepare(network, clothes)


@pytest.mark.parametrize("method", [SoftTargets, Hints, AttentionTransfer])
def test_a_pruned_and_quantised_teacher_teaches_a_student_of_another_kind(method):
    """ResNet-20 learns from a compressed VGG, whose maps have the same sizes."""
    clothes = data.load().few(128)
    vgg = Magnitude().prepare(zoo.load("VGG")).at(0.5)
    vgg = KMeans().prepare(vgg).at(4)
    torch.manual_seed(0)
    curve = method(teacher=vgg).prepare(zoo.load("ResNet-20"), clothes)
    *_, (_, student) = curve.train(0.125, clothes, replace(method.recipe, epochs=1, batch=64))
    assert student(clothes.normalise(clothes.validation.images[:2])).shape == (2, 10)
    assert torch.isfinite(student(clothes.normalise(clothes.validation.images[:2]))).all()


def test_maps_are_matched_by_their_size():
    shape = (1, 28, 28)
    assert last_of_same_size(zoo.build("VGG"), zoo.build("LeNet-5"), shape) == ([], [])
    ours, theirs = last_of_same_size(zoo.build("ResNet-20"), zoo.build("VGG-wide"), shape)
    assert ours == ["block3", "block6", "block9"] and theirs == ["relu2", "relu4", "relu6"]
    with pytest.raises(ValueError, match="no maps that are as high and as wide"):
        clothes = data.load().few(128)
        list(AttentionTransfer(teacher="LeNet-5").prepare(zoo.load("VGG"), clothes).train(0.125, clothes))
