"""Regression on the teacher's logits: shallow nets can answer as deep ones do, if they are told how (Ba 2014).

    L = 1/2 ||z - v||^2

Logits say more than probabilities: which of two improbable classes is the more improbable one.
"""

from __future__ import annotations

from torch import Tensor

from labkit.distillation.losses import logit_loss
from labkit.distillation.student import Maps, Student


class LogitRegression(Student):
    """A thinner network that imitates the teacher's logits, and sees no label.

    >>> from labkit import zoo
    >>> LogitRegression().prepare(zoo.load("LeNet-5")).at(0.5).conv2.weight.shape
    torch.Size([25, 10, 5, 5])
    """

    title = "Logit regression"
    idea = "Imitate what the teacher computes before its softmax, as numbers like any others."
    equation = r"\tfrac12 \lVert z - v \rVert^2"
    stores = "the weights of a small network"
    drawback = "A student that is too small spends its numbers on logits that never decide."
    paper = "ba2014"

    def taught(self, student: Tensor, teacher: Tensor, labels: Tensor, hard: Tensor, maps: Maps) -> Tensor:
        return logit_loss(student, teacher)
