"""One-shot compression of a whole network: each layer's ranks by VBMF, its kernel by Tucker-2 (Kim 2016).

VBMF tells signal from noise in the two unfoldings of a kernel, (out, in * height * width) and
(in, out * height * width), and so gives the two ranks of Tucker-2; in a matrix it gives the rank of the SVD. Nothing
is tried out and no pictures are needed. The network is trained again once, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from labkit.lowrank.kernels import KernelMethod
from labkit.lowrank.spectrum import spectrum
from labkit.lowrank.svd import SVDFit
from labkit.lowrank.tucker import KernelFit, Ranks
from labkit.lowrank.vbmf import signal
from labkit.methods import Fit, Knob, Picture
from labkit.weights import LowRank, Tucker2, Weight

LEAST = 2  # directions of signal: with fewer, VBMF has not found what a layer passes on, and the layer is left alone


def vbmf_rank(s: Tensor, shape: tuple[int, int]) -> int:
    """Return the rank that VBMF gives a matrix of a shape, from its singular values s; 0 below LEAST of them.

    >>> import torch
    >>> vbmf_rank(torch.tensor([9.0, 8.0, 1.0, 1.0, 0.9]), (5, 40))
    2
    """
    rank = signal(s.double().numpy(), shape).rank
    return rank if rank >= LEAST else 0


def part_of(share: float, rank: int) -> int:
    """Return a share of a rank, to the next whole number and at least 1."""
    return max(1, int(share * rank + 0.5))


def noted(picture: Picture, note: str) -> Picture:
    """Add a note to a picture's title, and to the text that ends with it."""
    title = picture.title + note
    return replace(picture, title=title, text=picture.text.replace(picture.title, title))


def unfounded(s: Tensor, name: str) -> Picture:
    """Draw the whole spectrum of a layer in which VBMF finds too little to keep."""
    title = f"{name}: left alone, VBMF finds fewer than {LEAST} directions above the noise"
    return replace(spectrum(s, len(s), name), title=title, text=f"Singular values of {name}. {title}.")


@dataclass
class KernelShot(KernelFit):
    """One kernel and the ranks that VBMF gives its outputs and inputs."""

    def __post_init__(self):
        super().__post_init__()
        out, inside, height, width = self.kernel.shape
        outputs = vbmf_rank(self.whole.s_out, (out, inside * height * width))
        inputs = vbmf_rank(self.whole.s_in, (inside, out * height * width)) if inside > 1 else 1
        self.found: Ranks = outputs, inputs

    def ranks(self, share: float) -> Ranks:
        """Return a share of both ranks."""
        return self.clip((part_of(share, self.found[0]), part_of(share, self.found[1])))

    def at(self, share: float) -> Tucker2 | None:
        """Cut to a share of both ranks; None where it does not pay, or VBMF finds too little."""
        return self.cut(self.ranks(share)) if all(self.found) else None

    def picture(self, share: float, name: str) -> Picture:
        """The spectrum of the outputs with its cut, and what VBMF says."""
        if not all(self.found):
            return unfounded(self.whole.s_out, name)
        ranks = self.ranks(share)
        path = [(rank, ranks[1]) for rank in range(1, len(self.whole.s_out) + 1)]
        return noted(self.draw(ranks, name, path), f"; VBMF: {self.found[0]} and {self.found[1]}")


@dataclass
class MatrixShot:
    """One matrix and the rank that VBMF gives it."""

    whole: SVDFit

    def __post_init__(self):
        shape = len(self.whole.u), self.whole.v.shape[1]
        self.found = vbmf_rank(self.whole.s, shape)

    def rank(self, share: float) -> int:
        """Return a share of the rank, at most all of it."""
        return min(part_of(share, self.found), len(self.whole.s))

    def at(self, share: float) -> LowRank | None:
        """Cut to a share of the rank; None where it does not pay, or VBMF finds too little."""
        return self.whole.at(self.rank(share)) if self.found else None

    def picture(self, share: float, name: str) -> Picture:
        """The spectrum with its cut, and what VBMF says."""
        if not self.found:
            return unfounded(self.whole.s, name)
        return noted(self.whole.picture(self.rank(share), name), f"; VBMF: {self.found}")


class OneShotTucker(KernelMethod):
    """Tucker-2 of the whole network, with ranks by VBMF; matrices get the SVD.

    A layer stays as it is where VBMF finds fewer than two directions above the noise, and where its ranks would not
    make the layer smaller. The first happens in layers with one input or ten outputs: a short side leaves too
    few directions to tell the noise from.

    >>> from labkit import zoo
    >>> small = OneShotTucker().prepare(zoo.load("LeNet-5"), where="conv2").at(1)
    >>> small.conv2.weight.core.shape
    torch.Size([16, 13, 5, 5])
    """

    title = "One-shot Tucker-2, ranks by VBMF"
    idea = (
        "Each layer's ranks are how many of its directions stand out of noise, by a formula. Nothing is tried out, "
        "and the whole network is compressed at once."
    )
    equation = r"r = \#\{h : \gamma_h^2 > M \sigma^2 (1 + \tau)(1 + \alpha / \tau)\}, \quad \alpha = L / M"
    stores = "three thin convolutions for each one; two thin matrices for each other layer"
    drawback = "Noise of the weights is not noise of the answers: training again must win the accuracy back."
    paper = "kim2016"
    knob = Knob("share", "share of VBMF's ranks", (0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3), 1, percent=True)

    def fit(self, leaf: Weight) -> Fit:
        found = super().fit(leaf)
        return MatrixShot(found) if isinstance(found, SVDFit) else found

    def fit_kernel(self, kernel: Tensor) -> KernelShot:
        return KernelShot(kernel, iterations=0)

    def knob_for(self, fits: dict[str, Fit]) -> Knob:
        return self.knob
