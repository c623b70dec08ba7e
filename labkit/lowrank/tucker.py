"""Tucker-2: a convolution between fewer channels, with a 1 x 1 convolution before it and one behind it (Kim 2016).

A kernel W (out, in, height, width) is written with bases of its outputs, U (out, r_out), and of its inputs,
V (r_in, in), both orthonormal, and a core G (r_out, r_in, height, width) between them:

    W[o, i, y, x] ~ sum over r, s of  U[o, r] G[r, s, y, x] V[s, i].

Two SVDs find U and V for all ranks at once (`hosvd`), so that each rank is a slice; alternating iterations at one
pair of ranks lower the error further (`hooi`). It stores out r_out + r_out r_in height width + r_in in numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor

from labkit.lowrank.hosvd import HOSVD, Factors, Ranks, count, hooi, hosvd
from labkit.lowrank.kernels import KernelMethod
from labkit.lowrank.spectrum import spectrum
from labkit.methods import Picture
from labkit.weights import Tucker2 as Tucker2Weight


@dataclass
class KernelFit:
    """One kernel, decomposed, and what has been improved by HOOI so far."""

    kernel: Tensor
    iterations: int
    whole: HOSVD = field(init=False)
    improved: dict[Ranks, Factors] = field(default_factory=dict)

    def __post_init__(self):
        self.whole = hosvd(self.kernel)

    @property
    def spectra(self) -> tuple[Tensor, Tensor]:
        """The singular values of the unfoldings: of the outputs and of the inputs."""
        return self.whole.s_out, self.whole.s_in

    def clip(self, ranks: Ranks) -> Ranks:
        """Return two ranks, each at most what the kernel has."""
        return tuple(min(rank, len(s)) for rank, s in zip(ranks, self.spectra, strict=True))

    def pays(self, ranks: Ranks) -> bool:
        """Say whether two ranks take fewer numbers than the kernel."""
        return count(self.kernel.shape, ranks) < self.kernel.numel()

    def cut(self, ranks: Ranks) -> Tucker2Weight | None:
        """Return the kernel at two ranks; None where they do not pay."""
        return Tucker2Weight(*(part.contiguous() for part in self.factors(ranks))) if self.pays(ranks) else None

    def factors(self, ranks: Ranks) -> Factors:
        """Return the factors of two ranks, by HOSVD or improved by HOOI, which is kept."""
        if not self.iterations:
            return self.whole.at(ranks)
        if ranks not in self.improved:
            self.improved[ranks] = hooi(self.kernel, self.whole.at(ranks), self.iterations)
        return self.improved[ranks]

    def draw(self, ranks: Ranks, name: str, path: list[Ranks]) -> Picture:
        """Draw the spectrum of the outputs and its cut; `path` says which ranks the curve of the energy follows."""
        s, pays = self.whole.s_out, self.pays(ranks)
        title = (
            self.kept(ranks, name) if pays else f"{name}: left alone, ranks {ranks[0]} and {ranks[1]} would store more"
        )
        return replace(
            spectrum(s, ranks[0], name, pays, of="singular value of the outputs"),
            title=title,
            text=f"Singular values of the outputs of {name}, falling from {s[0]:.3g} to {s[-1]:.3g}. {title}.",
            share=self.whole.energy(path),
        )

    def kept(self, ranks: Ranks, name: str) -> str:
        """Say how much of the energy two ranks keep."""
        outputs, inputs = (f"{rank} of {len(s)}" for rank, s in zip(ranks, self.spectra, strict=True))
        energy = f"{100 * self.whole.energy([ranks])[0]:.1f} %"
        if self.iterations:
            energy += f" (HOOI: {100 * float((self.factors(ranks)[1].norm() / self.kernel.norm()) ** 2):.1f} %)"
        return f"{name}: ranks {outputs} outputs, {inputs} inputs keep {energy} of the energy"


class TuckerFit(KernelFit):
    """One kernel, ready to be cut at any rank of the knob, the same for its outputs and its inputs."""

    @property
    def top(self) -> int:
        """The largest rank that pays."""
        ranks = range(1, max(self.kernel.shape[:2]) + 1)
        return max((rank for rank in ranks if self.pays(self.clip((rank, rank)))), default=0)

    def at(self, rank: int) -> Tucker2Weight | None:
        """Cut outputs and inputs to a rank; None where it does not pay."""
        return self.cut(self.clip((rank, rank)))

    def picture(self, rank: int, name: str) -> Picture:
        """The spectrum of the outputs with its cut, and the energy that both cuts together keep."""
        path = [(r, r) for r in range(1, len(self.whole.s_out) + 1)]
        return self.draw(self.clip((rank, rank)), name, path)


class Tucker2(KernelMethod):
    """Each convolution between fewer channels; matrices get the SVD.

    The rank is that of the outputs and of the inputs; where a layer has fewer of either, it keeps all of them.
    `iterations` of HOOI (0: none) improve each layer at the rank that is asked for, which takes time at each new
    one. Raises ValueError for a number of iterations that is negative.

    >>> from labkit import zoo
    >>> small = Tucker2().prepare(zoo.load("LeNet-5"), where="conv2").at(16)
    >>> small.conv2.weight.core.shape
    torch.Size([16, 16, 5, 5])
    """

    title = "Tucker-2"
    idea = (
        "A kernel works between few channels, mixed from all inputs before it and into all outputs behind it. Two "
        "SVDs find the mixtures."
    )
    equation = (
        r"W_{oiyx} \approx \sum_{r,s} u_{or}\, g_{rsyx}\, v_{si}, \quad "
        r"r(m+n) + d^2 r^2 \text{ numbers for } d^2 mn"
    )
    stores = "three thin convolutions for each one; two thin matrices for each other layer"
    drawback = "Two ranks for each layer, and the SVDs that find the mixtures do not see the accuracy."
    paper = "kim2016"

    def __init__(self, iterations: int = 0):
        if iterations < 0:
            raise ValueError(f"iterations is {iterations}, but must be 0 for the plain HOSVD, or more for HOOI")
        self.iterations, self.slices = iterations, iterations == 0
        if iterations:
            self.title = f"{self.title}, HOOI"
            self.drawback = "Iterations at each rank; and a smaller error of the weights can be a worse accuracy."

    def fit_kernel(self, kernel: Tensor) -> TuckerFit:
        return TuckerFit(kernel, self.iterations)
