"""The spatial scheme: a convolution by columns, then one by rows (Jaderberg 2014), in closed form (Tai 2016).

A kernel W (out, in, height, width) is written with r thin kernels of each kind, as

    W[o, i, y, x] = sum over r of  h[o, r, x] v[r, i, y],

v (r, in, height) moves over the rows of the picture, and h (out, r, width) over the columns. With its axes in
another order, W is a matrix M whose rows are the pairs (i, y) and whose columns are the pairs (o, x). There the
sum is a product of two thin matrices, so that the truncated SVD is the best of all:

    M = U diag(s) V'  gives  v = (U_r sqrt(s_r))',  h = sqrt(s_r) V_r'.

r (in * height + out * width) numbers stand for in * height * out * width, and the squared error is the sum of the
squared singular values cut off. Jaderberg 2014 found h and v by alternating least squares or on the outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from labkit.lowrank.kernels import KernelMethod
from labkit.lowrank.spectrum import spectrum
from labkit.lowrank.svd import break_even, svd
from labkit.methods import Picture
from labkit.weights import Separable


def to_matrix(kernel: Tensor) -> Tensor:
    """Lay a kernel (out, in, height, width) out as a matrix (in * height, out * width).

    >>> import torch
    >>> to_matrix(torch.arange(4.0).view(1, 1, 2, 2)).tolist(), to_matrix(torch.arange(4.0).view(2, 1, 2, 1)).tolist()
    ([[0.0, 1.0], [2.0, 3.0]], [[0.0, 2.0], [1.0, 3.0]])
    """
    out, inside, height, width = kernel.shape
    return kernel.permute(1, 2, 0, 3).reshape(inside * height, out * width)


def closed_form(kernel: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return the best factors of a rank: horizontal (out, r, width) and vertical (r, in, height).

    No others of this rank are nearer to the kernel (out, in, height, width). Raises ValueError for a rank below 1
    or above the rank of the whole, min(in * height, out * width) (Tai 2016).

    >>> import torch
    >>> kernel = torch.ones(2, 3, 5, 5)
    >>> horizontal, vertical = closed_form(kernel, 1)
    >>> torch.allclose(Separable(horizontal, vertical)(), kernel, atol=1e-5)
    True
    """
    matrix = to_matrix(kernel)
    if not 1 <= rank <= min(matrix.shape):
        raise ValueError(f"rank is {rank}, but must be from 1 to {min(matrix.shape)} for this kernel")
    return factors(*svd(matrix), tuple(kernel.shape), rank)


def factors(u: Tensor, s: Tensor, v: Tensor, shape: tuple[int, ...], rank: int) -> tuple[Tensor, Tensor]:
    """Cut the decomposition u diag(s) v of a kernel's matrix: horizontal = sqrt(s_r) V_r', vertical = U_r sqrt(s_r)."""
    (out, inside, height, width), root = shape, s[:rank].sqrt()
    vertical = (u[:, :rank] * root).mT.reshape(rank, inside, height)
    horizontal = (root[:, None] * v[:rank]).view(rank, out, width).movedim(0, 1)
    return horizontal, vertical


@dataclass
class SpatialFit:
    """The decomposition of one kernel's matrix, ready to be cut at any rank."""

    u: Tensor
    s: Tensor
    v: Tensor
    shape: tuple[int, ...]

    @property
    def top(self) -> int:
        """The largest rank that pays: that of the matrix (in * height, out * width)."""
        return break_even(len(self.u), self.v.shape[1])

    def at(self, rank: int) -> Separable | None:
        """Keep the `rank` largest singular values; None from the break-even rank on."""
        return Separable(*factors(self.u, self.s, self.v, self.shape, rank)) if rank <= self.top else None

    def picture(self, rank: int, name: str) -> Picture:
        """The spectrum with its cut."""
        return spectrum(self.s, rank, name, rank <= self.top)


class Spatial(KernelMethod):
    """Each convolution by columns and then by rows, with the best factors of a rank; matrices get the SVD.

    >>> from labkit import zoo
    >>> small = Spatial().prepare(zoo.load("LeNet-5"), where="conv2").at(16)
    >>> small.conv2.weight.vertical.shape, small.conv2.weight.horizontal.shape
    (torch.Size([16, 20, 5]), torch.Size([50, 16, 5]))
    """

    title = "Spatial scheme"
    idea = (
        "A kernel of d x d becomes one of d x 1 and one of 1 x d. Laid out as a matrix, its best factors are a "
        "truncated SVD."
    )
    equation = r"W_{oiyx} \approx \sum_{r} h_{orx}\, v_{riy}, \quad r d\,(m+n) \text{ numbers for } d^2 mn"
    stores = "two thin convolutions for each one; two thin matrices for each other layer"
    drawback = "Two layers run for one, with memory read and written in between: fewer multiplications, less speed."
    paper = "tai2016"

    def fit_kernel(self, kernel: Tensor) -> SpatialFit:
        return SpatialFit(*svd(to_matrix(kernel)), tuple(kernel.shape))
