"""Learned step size quantization: the step of an even grid is trained with the weights (Esser 2020).

    w^ = s round(clip(w / s, -Qn, Qp)),   Qn = 2^(b-1),   Qp = 2^(b-1) - 1.

The rounding is passed straight through, so that with v = w / s

    dw^/dw = 1 inside the clip, else 0;
    dw^/ds = round(v) - v inside the clip, -Qn below it, Qp above it.

The second tells s how far each weight is from its point of the grid. It is a sum over all N weights of a
layer, and is multiplied by 1 / sqrt(N Qp) so that s learns about as fast as they do. One bit does not
exist here: Qp would be 0, and a grid of -1 and 0 has no positive weights.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from labkit.methods import Knob, LeafMethod, Picture, numbers
from labkit.quantization.trained import LatentCurve, histogram, picture
from labkit.train import Recipe
from labkit.weights import Affine, Latent, Weight

BINS = 2048
CANDIDATES = 80
SMALLEST = 1e-12  # a step must stay above 0


def limits(bits: int) -> tuple[int, int]:
    """Return the lowest and the highest code, -Qn and Qp.

    >>> limits(2), limits(8)
    ((-2, 1), (-128, 127))
    """
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


class LearnedStep(torch.autograd.Function):
    """w^ from w and s (1,) with the gradients of the paper (Esser 2020)."""

    @staticmethod
    def forward(ctx, values: Tensor, step: Tensor, low: int, high: int) -> Tensor:
        ctx.save_for_backward(values, step)
        ctx.limits = low, high
        return step * (values / step).clamp(low, high).round()

    @staticmethod
    def backward(ctx, slope: Tensor) -> tuple[Tensor, Tensor, None, None]:
        values, step = ctx.saved_tensors
        low, high = ctx.limits
        v = values / step
        inside = (v > low) & (v < high)
        of_step = v.clamp(low, high).round() - v * inside  # round(v) - v inside, -Qn or Qp outside
        scale = 1 / math.sqrt(values.numel() * high)
        return slope * inside, scale * (slope * of_step).sum().view(1), None, None


class LatentGrid(Latent):
    """Weights behind a grid of 2^bits points whose step is trained too (Esser 2020).

    >>> LatentGrid(torch.tensor([0.2, -3.0, 0.9]), torch.tensor([1.0]), 2)().tolist()
    [0.0, -2.0, 1.0]
    """

    def __init__(self, values: Tensor, step: Tensor, bits: int):
        super().__init__(values)
        self.step = nn.Parameter(step.detach().clone())
        self.low, self.high = limits(bits)

    def forward(self) -> Tensor:
        return LearnedStep.apply(self.values, self.step, self.low, self.high)

    def project(self) -> Tensor:
        return self.forward().detach()

    @torch.no_grad()
    def settle(self) -> Weight:
        codes = (self.values / self.step).clamp(self.low, self.high).round() - self.low
        return Affine(codes.to(torch.int32), self.step.detach(), torch.tensor([-self.low], device=codes.device))

    @torch.no_grad()
    def constrain(self, state: Mapping[str, Tensor]) -> None:
        self.step.clamp_(min=SMALLEST)


def start_step(middles: np.ndarray, counts: np.ndarray, bits: int) -> float:
    """Return the step whose grid has the least squared error, of 80 between 0 and the widest: the start of training.

    `middles` (k,) are the middles of bins, `counts` (k,) how many weights lie in each. The paper starts at
    2 mean|w| / sqrt(Qp). Training comes equally far from both, but the knob also shows the network before
    it, which from 3 bits on is better with the least error (Esser 2020).

    >>> start_step(np.array([-1.0, 0.0, 1.0]), np.array([5, 9, 5]), 2)
    1.0
    """
    low, high = limits(bits)
    widest = max(float(np.abs(middles).max()), SMALLEST) / high
    steps = widest * np.linspace(1, 0, CANDIDATES, endpoint=False)[:, None]
    rounded = steps * np.clip(middles / steps, low, high).round()
    errors = ((rounded - middles) ** 2) @ counts
    return float(steps[errors.argmin(), 0])


@dataclass
class LSQFit:
    """One weight, and the steps that were found for it by bits."""

    values: Tensor
    found: dict[int, float] = field(default_factory=dict)

    @functools.cached_property
    def bins(self) -> tuple[np.ndarray, np.ndarray]:
        """The histogram of the weights, the same for every number of bits."""
        return histogram(self.values)

    @functools.cached_property
    def fine(self) -> tuple[np.ndarray, np.ndarray]:
        """The middles of the narrow bins that hold a weight, and their counts."""
        counts, edges = np.histogram(self.values.cpu().numpy(), bins=BINS)
        return ((edges[1:] + edges[:-1]) / 2)[counts > 0], counts[counts > 0]

    def latent(self, bits: int) -> LatentGrid:
        """Return the weight behind a grid of 2^bits points, as it starts training."""
        if bits not in self.found:
            self.found[bits] = start_step(*self.fine, bits)
        return LatentGrid(self.values, self.values.new_tensor([self.found[bits]]), bits)

    def picture(self, bits: int, name: str) -> Picture:
        """The histogram of the weights with the grid on its axis."""
        latent = self.latent(bits)
        marks = latent.step.detach() * torch.arange(latent.low, latent.high + 1)
        text = f"Marked on its axis are {len(marks)} values from {marks[0]:.3g} to {marks[-1]:.3g}, {{}} apart."
        step = f"{latent.step.item():.3g}"
        return picture(name, self.bins, marks, f"a grid of {len(marks)} values, {step} apart", text.format(step))


class LSQ(LeafMethod):
    """Round each weight to an even grid, and train the weights and the grid's step together."""

    title = "Learned step size"
    idea = "Each weight is rounded to an even grid, and training moves the grid's step together with the weights."
    equation = (
        r"\hat w = s \cdot \mathrm{round}(\mathrm{clip}(w / s, -Q_n, Q_p)), "
        r"\quad \frac{\partial \hat w}{\partial s} = \mathrm{round}(w / s) - w / s"
    )
    stores = "b bits for each weight, and one step for each layer"
    drawback = "It needs the training data and time; without training it is an ordinary even grid."
    paper = "esser2020"
    knob = Knob("bits", "bits per weight", (2, 3, 4, 5, 6, 7, 8), 8)
    recipe = Recipe(epochs=1, learning_rate=0.01, weight_decay=1e-4)
    curve = LatentCurve

    def fit(self, leaf: Weight) -> LSQFit:
        return LSQFit(numbers(leaf).clone())
