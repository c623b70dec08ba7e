"""Attention maps: where a layer looks, and how far a student looks elsewhere than its teacher (Zagoruyko 2017).

    Q = vec( sum_c |A_c|^p ),   loss = 1/2 sum over layers of || Q_S / ||Q_S|| - Q_T / ||Q_T|| ||^2

Maps of any number of channels compare, as long as they are as high and as wide.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labkit.distillation.student import Maps, Student
from labkit.inside import last_of_same_size

KINDS = ("sum", "power", "max")


def attention_map(maps: Tensor, kind: str = "power", p: int = 2) -> Tensor:
    """Add up or compare maps (n, channels, height, width) over the channels: (n, height, width).

    "sum" is sum_c |A_c|, "power" sum_c |A_c|^p, "max" max_c |A_c|^p. Raises ValueError for another kind.

    >>> attention_map(torch.tensor([[[[1.0]], [[-2.0]]]])).item()
    5.0
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, but must be one of {', '.join(KINDS)}")
    size = maps.abs()
    if kind == "sum":
        return size.sum(1)
    return size.pow(p).sum(1) if kind == "power" else size.pow(p).amax(1)


def attention_loss(student: Sequence[Tensor], teacher: Sequence[Tensor], kind: str = "power", p: int = 2) -> Tensor:
    """Return the loss over matching layers, a mean over pictures; each map is first scaled to length 1.

    Raises ValueError where the maps of a layer differ in height or width.

    >>> maps = [torch.rand(2, 3, 4, 4)]
    >>> attention_loss(maps, [2 * maps[0]]).item() < 1e-10
    True
    """
    total = torch.zeros(())
    for one, other in zip(student, teacher, strict=True):
        if one.shape[2:] != other.shape[2:]:
            raise ValueError(
                f"the student's maps are {tuple(one.shape[2:])} and the teacher's {tuple(other.shape[2:])}: "
                "match layers whose maps are as high and as wide"
            )
        looks = [torch.nn.functional.normalize(attention_map(maps, kind, p).flatten(1)) for maps in (one, other)]
        total = total + (looks[0] - looks[1]).square().sum(1).mean() / 2
    return total


class AttentionTransfer(Student):
    """A thinner network that learns the labels, and to look where its teacher looks.

    Compared are the last maps of each height and width that both have. `beta` is at least 0, `kind` and `p` are those
    of `attention_map`, the `teacher` is as for every `Student`.

    >>> from labkit import zoo
    >>> AttentionTransfer().matched(zoo.load("LeNet-5"), zoo.load("LeNet-5"), (1, 28, 28))[1]
    ['conv1', 'pool1', 'conv2', 'pool2']
    """

    title = "Attention transfer"
    idea = "Tell the student where each layer of the teacher looks: how strong all its maps are, place by place."
    equation = (
        r"\mathrm{CE} + \tfrac{\beta}{2} \sum_j \Big\lVert \tfrac{Q_S}{\lVert Q_S \rVert} "
        r"- \tfrac{Q_T}{\lVert Q_T \rVert} \Big\rVert^2"
    )
    stores = "the weights of a small network"
    drawback = (
        "It needs maps that are as high and as wide in both, so a student of another shape must be matched by hand."
    )
    paper = "zagoruyko2017"

    def __init__(self, beta: float = 10.0, kind: str = "power", p: int = 2, teacher: nn.Module | str | None = None):
        super().__init__(teacher)
        if not beta >= 0:
            raise ValueError(f"beta is {beta}, but must be at least 0")
        attention_map(torch.zeros(1, 1, 1, 1), kind, p)  # refuse a senseless one now
        self.beta, self.kind, self.p = float(beta), kind, p

    def matched(
        self, student: nn.Module, teacher: nn.Module, image_shape: tuple[int, int, int]
    ) -> tuple[list[str], list[str]]:
        found = last_of_same_size(student, teacher, image_shape)
        if not found[0]:
            raise ValueError(
                "student and teacher have no maps that are as high and as wide, so there is nowhere to look: take "
                "LeNet-5 or VGG for both"
            )
        return found

    def taught(self, student: Tensor, teacher: Tensor, labels: Tensor, hard: Tensor, maps: Maps) -> Tensor:
        return hard + self.beta * attention_loss(*maps, self.kind, self.p)
