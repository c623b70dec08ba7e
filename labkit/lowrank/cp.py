"""CP: a convolution as 1 x 1, then columns and rows of single channels, then 1 x 1 (Lebedev 2015).

A kernel W (out, in, height, width) is written as a sum of R components, each a product of four vectors:

    W[o, i, y, x] ~ sum over r of  u[o, r] v[r, i] vertical[r, y] horizontal[r, x],

R (out + in + height + width) numbers for out * in * height * width: far fewer than other chains of the same rank, so
that R may be large. There is no closed form. Alternating least squares finds the vectors for one R, and for another R
it begins anew; so each rank is computed when it is asked for, and then kept. The best sum may not even exist, and a
ridge keeps the components from growing without bound (see `als`).

ALS works on the core of the HOSVD of ranks (R, R), which is smaller than the kernel, and then a few rounds on the
kernel itself make up for what the core lacked (Bro 1998).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from labkit.lowrank.als import RIDGE, alternate, combine, degeneracy, norms
from labkit.lowrank.hosvd import HOSVD, hosvd
from labkit.lowrank.kernels import KernelMethod
from labkit.lowrank.svd import RankFit
from labkit.methods import Knob, Picture
from labkit.weights import CP as CPWeight

MOST = 64  # components of a layer; all layers of the VGG take seconds at this rank, and minutes at four times as many
ROUNDS, POLISH = 30, 5  # on the core, then on the kernel


def decompose(whole: HOSVD, kernel: Tensor, rank: int, ridge: float) -> list[Tensor]:
    """Return the factors (side, R) of a kernel whose HOSVD is known, float64."""
    u, core, v = whole.at((rank, rank))
    first, second, *pixels = alternate(core, rank, ridge, ROUNDS)
    return alternate(kernel, rank, ridge, POLISH, start=[u @ first, v.mT @ second, *pixels])


@dataclass
class CPFit:
    """One kernel, and the factors found so far, by rank."""

    kernel: Tensor
    ridge: float
    most: int = MOST
    found: dict[int, list[Tensor]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # two threads may ask for one rank

    def __post_init__(self):
        self.kernel = self.kernel.double()
        self.whole = hosvd(self.kernel)

    @property
    def top(self) -> int:
        """The largest rank that pays, but at most `most`."""
        return min((self.kernel.numel() - 1) // sum(self.kernel.shape), self.most)

    def factors(self, rank: int) -> list[Tensor]:
        """Return the factors (side, R) of a rank, computed when it is asked for the first time."""
        with self.lock:
            if rank not in self.found:
                self.found[rank] = decompose(self.whole, self.kernel, rank, self.ridge)
            return self.found[rank]

    def at(self, rank: int) -> CPWeight | None:
        """Write the kernel with so many components; None above the largest rank."""
        if rank > self.top:
            return None
        u, *others = (factor.float() for factor in self.factors(rank))
        return CPWeight(u, *(factor.mT.contiguous() for factor in others))

    def energy(self, rank: int) -> float:
        """Return the share of the squared norm that is kept: 1 - error^2 / norm^2."""
        squares = self.kernel.square().sum().clamp_min(1e-300)
        return 1 - float((combine(self.factors(rank)) - self.kernel).square().sum() / squares)

    def picture(self, rank: int, name: str) -> Picture:
        """The norms of the components, which show whether they cancel."""
        if rank > self.top:
            return self.draw(np.zeros(1), f"{name}: left alone, {rank} components would store more than the layer")
        factors = self.factors(rank)
        sizes = (norms(factors) / self.kernel.norm().clamp_min(1e-30)).sort(descending=True).values
        title = f"{name}: {rank} component{'s' * (rank > 1)} keep {100 * self.energy(rank):.1f} % of the energy"
        return self.draw(sizes.numpy(), f"{title}, degeneracy {degeneracy(factors, self.kernel):.1f}")

    def draw(self, sizes: np.ndarray, title: str) -> Picture:
        """Draw the sizes of the components (R,), the largest first."""
        return Picture(
            kind="spectrum",
            title=title,
            x="index of the component",
            y="norm of the component / norm of the kernel",
            values=sizes,
            text=f"Norms of the components over that of the kernel, {sizes.sum():.3g} in all: those that exceed 1 "
            f"together cancel each other. {title}.",
        )


class CP(KernelMethod):
    """Each convolution as a sum of rank-one kernels; matrices get the SVD.

    `ridge` (0: none) keeps the components from growing against each other, see `als`. The knob ends at `most`
    components, since each rank takes new alternating least squares: hundreds of components of a large kernel take
    minutes or hours. Raises ValueError for a negative ridge, and where `most` is below 1.

    >>> from labkit import zoo
    >>> small = CP().prepare(zoo.load("LeNet-5"), where="conv2").at(16)
    >>> [tuple(factor.shape) for factor in (small.conv2.weight.u, small.conv2.weight.v, small.conv2.weight.vertical)]
    [(50, 16), (16, 20), (16, 5)]
    """

    title = "CP decomposition"
    idea = (
        "A kernel becomes a sum of products of four vectors: mix the channels, filter each by a column and a row, mix "
        "again. Alternating least squares finds the vectors."
    )
    equation = (
        r"W_{oiyx} \approx \sum_{r=1}^{R} u_{or}\, v_{ri}\, a_{ry}\, b_{rx}, \quad "
        r"R\,(m+n+2d) \text{ numbers for } d^2 mn"
    )
    stores = "four thin convolutions for each one; two thin matrices for each other layer"
    drawback = "The best sum may not exist: components grow and cancel. Each rank takes new iterations."
    paper = "lebedev2015"
    slices = False

    def __init__(self, ridge: float = RIDGE, most: int = MOST):
        if ridge < 0:
            raise ValueError(f"ridge is {ridge}, but must be 0 for none, or more")
        if most < 1:
            raise ValueError(f"most is {most}, but must be at least 1 component")
        self.ridge, self.most = ridge, most
        if not ridge:
            self.title = f"{self.title}, no ridge"

    def fit_kernel(self, kernel: Tensor) -> CPFit:
        return CPFit(kernel, self.ridge, self.most)

    def knob_for(self, fits: dict[str, RankFit]) -> Knob:
        """The ranks of the SVD, but only up to `most` where there is a kernel, and no start that takes long."""
        knob = super().knob_for(fits)
        if not any(isinstance(fit, CPFit) for fit in fits.values()):
            return knob
        ranks = tuple(rank for rank in knob.values if rank <= self.most)
        return Knob(knob.name, knob.label, ranks, max(rank for rank in ranks if rank <= 16))
