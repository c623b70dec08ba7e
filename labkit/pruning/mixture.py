"""A mixture of Gaussians over the weights, one of which sits at zero: the prior of soft weight-sharing (Ullrich 2017).

    p(w) = sum_j pi_j N(w; mu_j, s_j^2),   mu_0 = 0 and pi_0 close to 1, both fixed.

It is fitted to given weights by expectation-maximisation, and learnt along with the weights in training, where
-log p(w) pulls each weight towards the means that are responsible for it. A variance could shrink
onto a single weight, whose likelihood would then grow without end. A Gamma prior on the precision 1 / s^2 prevents
it: it counts like 2 (a - 1) further weights whose mean square distance is b / (a - 1), a prior of variances about
0.02^2. Its a and b are those of the authors' published code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

ZERO_PRIOR = (5e3, 2.0)  # a and b of the component at zero, to which most weights belong
OTHER_PRIOR = (2.5e2, 0.1)
POINTS = 4096  # of a grid over all weights, whose cells are narrow beside every component


@dataclass
class Mixture:
    """Component 0 at zero, and J others; `free` holds what is learnt, everything in the numbers' own units.

    `means` (J,); `precisions` (J + 1,) as log(1 / s^2), that of component 0 first; `shares` (J,) as logarithms
    up to a constant: the others have pi_j = (1 - pi_0) softmax(shares)_j. `zero` is pi_0.
    """

    means: Tensor
    precisions: Tensor
    shares: Tensor
    zero: float

    @staticmethod
    def spread(values: Tensor, components: int, zero: float) -> Mixture:
        """Return a mixture to start from: equal components at equal steps over the range of the weights.

        >>> Mixture.spread(torch.tensor([-1.0, 1.0]), 3, 0.9).means.tolist()
        [-1.0, 0.0, 1.0]
        """
        low, high = values.aminmax()
        means = torch.linspace(low, high, components, dtype=values.dtype, device=values.device)
        width = max(float(high - low) / max(1, components), 1e-6)
        return Mixture(means, means.new_full((components + 1,), -2 * math.log(width)), torch.zeros_like(means), zero)

    def free(self) -> list[Tensor]:
        """Return what training learns."""
        return [self.means, self.precisions, self.shares]

    def like(self, values: Tensor) -> Mixture:
        """Return a copy in the type of some weights, on their device."""
        return Mixture(*(part.detach().to(values, copy=True) for part in self.free()), self.zero)

    def centres(self) -> Tensor:
        """Return all means (J + 1,), the 0 of component 0 first."""
        return torch.cat([self.means.new_zeros(1), self.means])

    def parts(self, values: Tensor) -> Tensor:
        """Return log(pi_j N(w; mu_j, s_j^2)) for weights (n,), as (n, J + 1).

        log N(w; mu, s^2) = (log(1 / s^2) - log 2 pi - (w - mu)^2 / s^2) / 2
        """
        shares = math.log1p(-self.zero) + self.shares.log_softmax(0)
        logs = torch.cat([shares.new_full((1,), math.log(self.zero)), shares])
        distances = (values[:, None] - self.centres()).square() * self.precisions.exp()
        return logs + (self.precisions - math.log(2 * math.pi) - distances) / 2

    def surprise(self, values: Tensor) -> Tensor:
        """Return -log p(w) of each weight, (n,), in nats."""
        return -self.parts(values).logsumexp(1)

    def hyper(self) -> Tensor:
        """Return -log of the Gamma prior of all precisions t, up to a constant: sum_j (1 - a) log t_j + b t_j."""
        a, b = self._prior()
        return ((1 - a) * self.precisions + b * self.precisions.exp()).sum()

    def _prior(self) -> tuple[Tensor, Tensor]:
        pairs = self.precisions.new_tensor([ZERO_PRIOR] + [OTHER_PRIOR] * len(self.means))
        return pairs[:, 0], pairs[:, 1]

    @torch.no_grad()
    def responsible(self, values: Tensor) -> Tensor:
        """Return for each weight the component most responsible for it: the largest of `parts`, (n,).

        Which it is changes at few places on the axis. Where both ends of a cell of a fine grid agree, so does
        all between them, and only the weights in the other cells are looked at one by one.
        """
        if not len(values):
            return torch.zeros(0, dtype=torch.int64, device=values.device)
        low, high = values.aminmax()
        ends = self.parts(low + (high - low) * torch.linspace(0, 1, POINTS, device=values.device)).argmax(1)
        cell = ((values - low) / (high - low).clamp(min=1e-12) * (POINTS - 1)).long().clamp(0, POINTS - 2)
        found = ends[cell]
        unsure = torch.nonzero(found != ends[cell + 1]).flatten()
        found[unsure] = self.parts(values[unsure]).argmax(1)
        return found


@torch.no_grad()
def expectation_maximisation(
    mixture: Mixture, values: Tensor, counts: Tensor | None = None, iterations: int = 50
) -> Mixture:
    """Fit a mixture to weights: raise sum_i h_i log p(w_i) plus the log of the prior with every iteration.

        r_ij = parts of w_i, as shares that add up to 1;   n_j = sum_i h_i r_ij
        mu_j = sum_i h_i r_ij w_i / n_j,   pi_j = (1 - pi_0) n_j / sum_{j > 0} n_j     for j > 0
        1 / s_j^2 = (n_j / 2 + a - 1) / (sum_i h_i r_ij (w_i - mu_j)^2 / 2 + b)

    `values` (n,) are the weights and `counts` (n,) their h, 1 unless given. Returns a new mixture (Ullrich 2017).

    >>> start = Mixture.spread(torch.tensor([-1.0, 1.0]), 2, 0.5)
    >>> values = torch.tensor([-0.75, 0.0, 0.25]).repeat(9000)
    >>> [round(mean, 2) for mean in expectation_maximisation(start, values).means.tolist()]
    [-0.75, 0.25]
    """
    counts = torch.ones_like(values) if counts is None else counts
    a, b = mixture._prior()
    for _ in range(iterations):
        mine = counts[:, None] * mixture.parts(values).softmax(1)
        mass = mine.sum(0)
        means = torch.where(mass[1:] > 0, mine[:, 1:].T @ values / mass[1:].clamp(min=1e-30), mixture.means)
        moved = Mixture(means, mixture.precisions, mass[1:].clamp(min=1e-30).log(), mixture.zero)
        spread = (mine * (values[:, None] - moved.centres()).square()).sum(0)
        moved.precisions = ((mass / 2 + a - 1) / (spread / 2 + b)).log()
        mixture = moved
    return mixture


def tabulated(mixture: Mixture, values: Tensor, points: int = POINTS) -> Tensor:
    """Return -log p of many weights, (n,), by linear interpolation in a table of so many.

    -log p is a function of one number, so a table of it serves all weights, forwards and backwards: for 266,200
    weights and 17 components that is faster by an order of magnitude. The gradients reach weights and mixture.

    >>> mixture, values = Mixture.spread(torch.tensor([-1.0, 1.0]), 4, 0.9), torch.linspace(-1, 1, 7)
    >>> bool(torch.allclose(tabulated(mixture, values), mixture.surprise(values), atol=1e-4))
    True
    """
    low, high = values.detach().aminmax()
    table = mixture.surprise(low + (high - low) * torch.linspace(0, 1, points, device=values.device))
    position = (values - low) / (high - low).clamp(min=1e-12) * (points - 1)
    index = position.detach().long().clamp(0, points - 2)
    left, right = table.index_select(0, index), table.index_select(0, index + 1)
    return left + (position - index) * (right - left)
