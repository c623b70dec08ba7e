"""What distillation is compared with: students that are told less than a teacher knows, and trained alike."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.data import Data
from labkit.distillation.losses import soften
from labkit.distillation.softtargets import SoftTargets
from labkit.distillation.student import Maps, Student
from labkit.drawn import Drawn, DrawnCurve


class LabelsAlone(Student):
    """The plain student: the same network, drawn by the same dice, that learns the labels and nothing else.

    >>> from labkit import zoo
    >>> LabelsAlone().prepare(zoo.load("LeNet-300-100")).at(0.5).fc1.weight.shape
    torch.Size([150, 784])
    """

    title = "Plain student"
    idea = "The same small network, which has no teacher."
    equation = r"\mathrm{CE}(y, q)"
    stores = "the weights of a small network"
    drawback = "A label says that a shirt is a shirt, and not what else it looks like."
    paper = "hinton2015"
    curve = DrawnCurve

    def __init__(self):
        super().__init__()

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> DrawnCurve:
        return Drawn.prepare(self, model, data, where)  # without a teacher


class SmoothedLabels(SoftTargets):
    """A control: labels that are as unsure as the teacher is of the same picture, and all wrong classes are alike.

    Each picture's label gets the share 1 - e and every other class e / (classes - 1), with e so that the entropy is
    that of the teacher's soft targets. `temperature`, `weight` and `teacher` are those of `SoftTargets`.

    >>> from labkit import zoo
    >>> SmoothedLabels().prepare(zoo.load("LeNet-300-100")).at(0.5).fc1.weight.shape
    torch.Size([150, 784])
    """

    title = "Smoothed labels"
    idea = "As unsure as the teacher, picture by picture, but all wrong classes are alike."
    equation = r"p_t = 1 - \epsilon,\ p_i = \epsilon / (k - 1),\ H(p) = H(p_T)"
    drawback = "It does not know which classes are alike."

    def taught(self, student: Tensor, teacher: Tensor, labels: Tensor, hard: Tensor, maps: Maps) -> Tensor:
        logits = self.temperature * smoothed(soften(teacher, self.temperature), labels).log()
        return super().taught(student, logits, labels, hard, maps)


class ShuffledTeacher(SoftTargets):
    """A control: the teacher's own numbers, but what it says of one wrong class stands at another one.

    The same permutation holds for all pictures. `temperature`, `weight` and `teacher` are those of `SoftTargets`.

    >>> from labkit import zoo
    >>> ShuffledTeacher().prepare(zoo.load("LeNet-300-100")).at(0.5).fc1.weight.shape
    torch.Size([150, 784])
    """

    title = "Shuffled teacher"
    idea = "The teacher's numbers for the wrong classes, in another order: a shirt that is nearly a boot."
    equation = r"p_{\pi(i)} \text{ instead of } p_i"
    drawback = "What it says of the wrong classes is wrong."

    def taught(self, student: Tensor, teacher: Tensor, labels: Tensor, hard: Tensor, maps: Maps) -> Tensor:
        return super().taught(student, shuffled(teacher, labels), labels, hard, maps)


def smoothed(targets: Tensor, labels: Tensor) -> Tensor:
    """Return the smoothed labels whose entropy is that of soft targets (n, classes), picture by picture.

    >>> one = smoothed(torch.tensor([[0.8, 0.1, 0.1]]), torch.tensor([2]))
    >>> [round(share, 2) for share in one[0].tolist()]
    [0.1, 0.1, 0.8]
    """
    classes = targets.shape[1]
    wanted = torch.special.entr(targets).sum(1)
    low, high = torch.zeros_like(wanted), torch.full_like(wanted, 1 - 1 / classes)  # the entropy grows up to here
    for _ in range(24):  # as many bits as a float32 has
        middle = (low + high) / 2
        short = torch.special.entr(1 - middle) + torch.special.entr(middle) + middle * math.log(classes - 1) < wanted
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    wrong = (low + high) / 2
    shares = (wrong / (classes - 1))[:, None].expand(-1, classes).clone()
    shares[torch.arange(len(labels)), labels] = 1 - wrong
    return shares


def shuffled(logits: Tensor, labels: Tensor) -> Tensor:
    """Move the logits (n, classes) of the wrong classes half way round, as in a ring; that of the label stays.

    >>> shuffled(torch.tensor([[9.0, 1.0, 2.0, 3.0, 4.0]]), torch.tensor([0])).tolist()
    [[9.0, 3.0, 4.0, 1.0, 2.0]]
    """
    count, classes = logits.shape
    wrong = ~F.one_hot(labels, classes).bool()
    found = logits.clone()
    found[wrong] = logits[wrong].view(count, -1).roll(classes // 2, 1).flatten()
    return found
