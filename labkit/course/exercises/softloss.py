"""The first exercise of notebook 06: the loss of a student, with its T squared."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from labkit.course.checks import NotYet, exercise

CASES = ((1.0, 1.0), (4.0, 1.0), (20.0, 0.9), (4.0, 0.0), (2.0, 0.5))  # temperature and weight
PICTURES, CLASSES = 6, 5


@exercise(
    "distillation loss",
    "Two terms: F.cross_entropy(z, labels) as ever, and how far the softened answers are apart.",
    "F.kl_div wants log q first, then p: (z / T).log_softmax(1) and (v / T).softmax(1); a batchmean, please.",
    "soft = T**2 * F.kl_div((z / T).log_softmax(1), (v / T).softmax(1), reduction='batchmean')",
)
def distillation_loss(loss: Callable[..., Tensor]) -> str:
    """What counts is the gradient for the student's logits: a constant more or less changes nothing."""
    for temperature, weight in CASES:
        random = torch.Generator().manual_seed(int(10 * temperature))
        z, v = (2 * torch.randn(PICTURES, CLASSES, generator=random, dtype=torch.float64) for _ in range(2))
        labels = torch.randint(CLASSES, (PICTURES,), generator=random)
        found = _gradient(loss, z, v, labels, temperature, weight)
        wanted = expected(z, v, labels, temperature, weight)
        if not torch.allclose(found, wanted, atol=1e-6):
            raise NotYet(_why(found, z, v, labels, temperature, weight))
    return (
        "The gradient of each logit is right: (1 - weight) (softmax(z) - y) + weight T (q - p), a mean over pictures. "
        "Without T squared the second part would be T times too small twice over, and at T = 20 nobody would hear it."
    )


def expected(z: Tensor, v: Tensor, labels: Tensor, temperature: float, weight: float, power: int = 1) -> Tensor:
    """Return the gradient for z in closed form; `power` is that of T before q - p."""
    hard = z.softmax(1) - torch.eye(CLASSES, dtype=z.dtype)[labels]
    soft = temperature**power * ((z / temperature).softmax(1) - (v / temperature).softmax(1))
    return ((1 - weight) * hard + weight * soft) / len(z)


def _gradient(loss: Callable[..., Tensor], z: Tensor, v: Tensor, labels: Tensor, heat: float, weight: float) -> Tensor:
    z = z.clone().requires_grad_()
    value = loss(z, v.clone(), labels, heat, weight)
    if not isinstance(value, Tensor) or value.ndim != 0:
        said = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise NotYet(f"It gave {said}, but should give one number as a tensor: is a `return` or a mean missing?")
    if not value.requires_grad:
        raise NotYet("The loss does not depend on the student's logits z, so nothing can be learned from it.")
    return torch.autograd.grad(value, z)[0]


def _why(found: Tensor, z: Tensor, v: Tensor, labels: Tensor, heat: float, weight: float) -> str:
    """Say which mistake gives this gradient."""
    at = f"At T = {heat:g} and weight {weight:g}"
    if torch.allclose(found, expected(z, v, labels, heat, weight, -1), atol=1e-6):
        return f"{at} the soft part is T squared times too small: multiply it by T**2."
    if torch.allclose(found, expected(z, v, labels, heat, 1 - weight), atol=1e-6):
        return f"{at} the weights have changed places: `weight` belongs to the soft part."
    if torch.allclose(found, len(z) * expected(z, v, labels, heat, weight), atol=1e-6):
        return f"{at} it is the sum over pictures, but should be their mean."
    if torch.allclose(found, expected(z, v, labels, heat, weight) / CLASSES, atol=1e-6):
        return f"{at} it is a mean over classes as well: F.kl_div needs reduction='batchmean'."
    return f"{at} the gradient for z is another one. Are both z and v divided by T, and is the teacher's p the target?"


EXERCISES = (distillation_loss,)
