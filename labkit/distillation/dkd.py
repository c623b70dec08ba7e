"""Decoupled knowledge distillation: what the teacher knows of the wrong classes, with a weight of its own (Zhao 2022).

    L = CE(y, q) + T^2 (alpha TCKD + beta NCKD)

Plain distillation is alpha = 1 and beta = 1 - p_t: where the teacher is sure, it hands on next to nothing.
"""

from __future__ import annotations

from torch import Tensor, nn

from labkit.distillation.losses import decoupled, soften
from labkit.distillation.student import Maps, Student


class DecoupledTargets(Student):
    """A thinner network that learns the right class and the order of the others apart.

    `alpha` and `beta` are at least 0, `temperature` above 0. The `teacher` is as for every `Student`.

    >>> from labkit import zoo
    >>> DecoupledTargets().prepare(zoo.load("LeNet-300-100")).at(0.25).fc1.weight.shape
    torch.Size([75, 784])
    """

    title = "Decoupled distillation"
    idea = "Teach how sure to be, and how the wrong classes compare, each with its own weight."
    equation = r"\mathrm{CE} + T^2 (\alpha\, \mathrm{TCKD} + \beta\, \mathrm{NCKD})"
    stores = "the weights of a small network"
    drawback = "Two weights to choose instead of one."
    paper = "zhao2022"

    def __init__(
        self,
        temperature: float = 4.0,
        alpha: float = 1.0,
        beta: float = 2.0,
        teacher: nn.Module | str | None = None,
    ):
        super().__init__(teacher)
        if not (alpha >= 0 and beta >= 0):
            raise ValueError(f"alpha is {alpha} and beta {beta}, but both must be at least 0")
        self.temperature, self.alpha, self.beta = float(temperature), float(alpha), float(beta)
        soften(Tensor([[0.0]]), self.temperature)  # refuse a senseless one now

    def taught(self, student: Tensor, teacher: Tensor, labels: Tensor, hard: Tensor, maps: Maps) -> Tensor:
        target, others = decoupled(student, teacher, labels, self.temperature)
        return hard + self.temperature**2 * (self.alpha * target + self.beta * others).mean()
