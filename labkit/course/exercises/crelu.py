"""The first exercise of notebook 05: the concatenated ReLU, of which nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from labkit.course.checks import NotYet, exercise

SHAPES = ((2, 3, 4, 5), (1, 6), (3, 1, 2, 2))


@exercise(
    "concatenated ReLU",
    "A ReLU keeps z where it is positive. What keeps z where it is negative, and is never negative itself?",
    "The second half is a ReLU too, of -z. torch.cat((one, other), dim=1) puts maps beside each other.",
    "return torch.cat((torch.relu(z), torch.relu(-z)), dim=1)",
)
def concatenated_relu(crelu: Callable[[Tensor], Tensor]) -> str:
    """Both halves are at least 0, their difference is what went in, and never are both above 0."""
    for shape in SHAPES:
        z = torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))
        y = crelu(z.clone())
        if not isinstance(y, Tensor):
            raise NotYet(f"crelu(z) gave {type(y).__name__}, but should give a tensor: is a `return` missing?")
        channels = shape[1]
        if tuple(y.shape) != (shape[0], 2 * channels, *shape[2:]):
            raise NotYet(
                f"For z {shape} it has shape {tuple(y.shape)}, but should have {(shape[0], 2 * channels, *shape[2:])}: "
                "the second half comes behind the first along dimension 1."
            )
        plus, minus = y[:, :channels], y[:, channels:]
        if float(y.min()) < 0:
            raise NotYet("Some outputs are negative: a ReLU comes over each half.")
        if torch.equal(plus, minus):
            raise NotYet("Both halves are the same: the second one is of -z.")
        if not torch.allclose(plus - minus, z):
            raise NotYet("The first half minus the second should give z back, and does not.")
        if float((plus * minus).abs().max()) > 0:
            raise NotYet("At some places both halves are above 0: that is no ReLU.")
    return (
        "The first half minus the second gives z back: nothing is lost. A plain ReLU needs a second filter, the "
        "opposite one, to say as much."
    )


EXERCISES = (concatenated_relu,)
