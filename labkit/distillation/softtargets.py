"""Knowledge distillation: a student learns the teacher's soft targets (Hinton 2015).

    L = (1 - lambda) CE(y, q) + lambda T^2 KL(p_T || q_T)

A wrong answer of the teacher is a hint: a shirt that is nearly a coat says what shirts look like.
"""

from __future__ import annotations

from torch import Tensor, nn

from labkit.distillation.losses import soft_loss, soften
from labkit.distillation.student import Maps, Student, share


class SoftTargets(Student):
    """A thinner network that learns labels and soft targets.

    `temperature` T is above 0, `weight` lambda from 0 (labels alone: the plain student) to 1. The `teacher` is the
    network itself, or the one that is given (see `Student`).

    >>> from labkit import zoo
    >>> SoftTargets().prepare(zoo.load("LeNet-300-100")).at(0.5).fc1.weight.shape
    torch.Size([150, 784])
    """

    title = "Knowledge distillation"
    idea = "Soften the teacher's answers: how probable it finds the wrong classes says how they are alike."
    equation = r"(1-\lambda)\, \mathrm{CE}(y, q) + \lambda\, T^2\, \mathrm{KL}(p_T \,\|\, q_T)"
    stores = "the weights of a small network"
    drawback = "It needs a softmax over classes, and a teacher that is unsure somewhere."
    paper = "hinton2015"

    def __init__(self, temperature: float = 4.0, weight: float = 0.5, teacher: nn.Module | str | None = None):
        super().__init__(teacher)
        self.temperature, self.weight = float(temperature), share("weight", weight)
        soften(Tensor([[0.0]]), self.temperature)  # refuse a senseless one now

    def taught(self, student: Tensor, teacher: Tensor, labels: Tensor, hard: Tensor, maps: Maps) -> Tensor:
        return (1 - self.weight) * hard + self.weight * soft_loss(student, teacher, self.temperature)
