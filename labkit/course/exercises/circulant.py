"""The first exercises of notebook 03: multiply by a circulant matrix with FFTs, and find the gradient of that."""

from __future__ import annotations

from collections.abc import Callable

import torch
from scipy.linalg import circulant
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from labkit.course.checks import NotYet, exercise

SIDES = (5, 8, 1, 12)  # odd ones too: irfft has to be told
LARGE = 2048


@exercise(
    "circulant product",
    "The Fourier basis makes every circulant matrix diagonal: transform, multiply, transform back.",
    "torch.fft.rfft(c) are the eigenvalues; multiply torch.fft.rfft(x) by them. irfft must be told the length d.",
    "return torch.fft.irfft(torch.fft.rfft(c) * torch.fft.rfft(x), len(c))",
)
def circulant_product(product: Callable[[Tensor, Tensor], Tensor]) -> str:
    """The product is that with scipy's matrix, and no matrix is formed."""
    for c, x, dense in _cases():
        expected = x @ dense.T
        answer = _tensor(product(c.clone(), x.clone()), expected, "circulant_product(c, x)")
        if not torch.allclose(answer, expected, atol=1e-4):
            raise NotYet(_why(answer, x @ dense, f"For d = {len(c)} it is not C x with C[i, j] = c[(i - j) mod d]"))
    c, x = (torch.randn(*shape, generator=torch.Generator().manual_seed(1)) for shape in ((LARGE,), (2, LARGE)))
    with Largest() as made:
        product(c, x)
    if made.numbers > 16 * x.numel():
        raise NotYet(
            f"It is right, but for d = {LARGE:,} it makes a tensor of {made.numbers:,} numbers. The spectra are hardly "
            "longer than the inputs: form no matrix."
        )
    return (
        f"Two inputs of {LARGE:,} numbers, and no tensor was larger than {made.numbers:,} numbers: the matrix has "
        f"{LARGE**2:,}."
    )


class Largest(TorchDispatchMode):
    """Notes how many numbers the largest tensor has that is made inside the block."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        self.numbers = max([self.numbers, *(one.numel() for one in tree_leaves(made) if isinstance(one, Tensor))])
        return made


@exercise(
    "circulant gradient",
    "A gradient is a product with the transposed matrix, and that is a circulant too: a correlation.",
    "In the Fourier basis a correlation is a product with a conjugate. The gradient for c adds up over the inputs.",
    "output = torch.fft.rfft(dy); dc = torch.fft.irfft((output * torch.fft.rfft(x).conj()).sum(0), d); "
    "dx = torch.fft.irfft(output * torch.fft.rfft(c).conj(), d)",
)
def circulant_gradient(gradient: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]) -> str:
    """Both gradients are those that autograd finds through the dense matrix."""
    for c, x, _ in _cases():
        dy = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
        answer = gradient(c.clone(), x.clone(), dy.clone())
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise NotYet("circulant_gradient(c, x, dy) should return two tensors, dL/dc and dL/dx.")
        for name, one, (expected, other) in zip(("dL/dc", "dL/dx"), answer, _gradients(c, x, dy), strict=True):
            found = _tensor(one, expected, name)
            if not torch.allclose(found, expected, atol=1e-4):
                raise NotYet(_why(found, other, f"For d = {len(c)} {name} is not the gradient"))
    return (
        "A layer that is trained needs three FFTs forwards and as many products of spectra backwards: O(d log d) too."
    )


def _cases():
    random = torch.Generator().manual_seed(0)
    for d in SIDES:
        c, x = torch.randn(d, generator=random), torch.randn(3, d, generator=random)
        yield c, x, torch.from_numpy(circulant(c.numpy()).astype("float32"))


def _gradients(c: Tensor, x: Tensor, dy: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return each gradient by autograd through the dense matrix, and what it is where the conjugate is forgotten."""
    leaf, inputs = c.clone().requires_grad_(), x.clone().requires_grad_()
    steps = torch.arange(len(c))
    ((inputs @ leaf[(steps[:, None] - steps) % len(c)].T) * dy).sum().backward()
    spectra = [torch.fft.rfft(one) for one in (c, x, dy)]
    forgotten = [torch.fft.irfft(one, len(c)) for one in ((spectra[2] * spectra[1]).sum(0), spectra[2] * spectra[0])]
    return list(zip((leaf.grad, inputs.grad), forgotten, strict=True))


def _tensor(answer: object, like: Tensor, what: str) -> Tensor:
    """Return the answer; raise NotYet for what is no tensor of the right shape."""
    if not isinstance(answer, Tensor):
        raise NotYet(f"{what} gave {type(answer).__name__}, but should give a tensor: is a `return` missing?")
    if answer.shape != like.shape:
        raise NotYet(f"{what} has shape {tuple(answer.shape)}, but should have {tuple(like.shape)}.")
    return answer


def _why(answer: Tensor, likely: Tensor, what: str) -> str:
    """Name the likely mistake: the matrix turned round, or a conjugate too many or too few."""
    turned = answer.shape == likely.shape and torch.allclose(answer, likely, atol=1e-4)
    return f"{what}: it goes round the wrong way. Is there a conjugate too many or too few?" if turned else f"{what}."


EXERCISES = (circulant_product, circulant_gradient)
