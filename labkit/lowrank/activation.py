"""Activation-aware SVD: the matrix of low rank whose outputs, not whose weights, are nearest.

A layer computes W x. Over the pictures, G = mean of x x' is all that counts (see `labkit.activations`), and with
G = L L' the mean squared error of the outputs is that of another matrix:

    mean ||W x - W_r x||^2 = ||(W - W_r) L||^2,   least for  W_r = [W L]_r L^-1,

[.]_r the truncated SVD (Wang 2025 calls it whitening; Yuan 2023 scales each input by itself, an L that is
diagonal). With the left singular vectors Q_r of W L, [W L]_r = Q_r Q_r' W L, so that L^-1 cancels:

    W_r = Q_r Q_r' W,   Q_r the r first eigenvectors of  W G W' = mean of y y',

the main directions of the outputs (Zhang 2015). So nothing is inverted, and a G without an inverse, since some
pixels are never lit, is as good as any other. Where all inputs are alike and independent, G = I, it is the SVD.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labkit import layers
from labkit.activations import gram
from labkit.data import Data
from labkit.lowrank.subspace import SubspaceFit
from labkit.lowrank.svd import SVD, RankFit
from labkit.methods import LeafCurve, numbers, sound_leaves
from labkit.weights import Weight

PICTURES = 1000


def output_directions(matrix: Tensor, gram: Tensor) -> tuple[Tensor, Tensor]:
    """Return the main directions q (m, k) of the outputs of a matrix (m, n), and their size s (k,), k = min(m, n).

        W G W' = q diag(s^2) q'

    `gram` G (n, n) is the mean of x x'. s falls; s_i^2 is the mean square of the output along direction i, and the
    s are the singular values of W L, G = L L' (Zhang 2015).

    >>> q, s = output_directions(torch.eye(2), torch.tensor([[4.0, 0.0], [0.0, 9.0]]))
    >>> q.abs().tolist(), s.tolist()
    ([[0.0, 1.0], [1.0, 0.0]], [3.0, 2.0])
    """
    w = matrix.double()
    squares, q = torch.linalg.eigh(w @ gram.double() @ w.mT)  # the smallest first
    s = squares.clamp_min(0).sqrt().flip(0)[: min(matrix.shape)]
    return q.flip(1)[:, : len(s)].to(matrix), s.to(matrix)


def output_error(matrix: Tensor, other: Tensor, gram: Tensor) -> float:
    """Return how far the outputs of another matrix are, as a share of the outputs' own size.

        ||(W - W') L|| / ||W L||,   G = L L' the mean of x x'

    `matrix` W and `other` W' are (m, n), `gram` G is (n, n); a kernel (out, in, height, width) is taken as a matrix.

    >>> output_error(torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[9.0, 0.0], [0.0, 16.0]]))
    0.8
    """
    w, d = (part.detach().double().flatten(1) for part in (matrix, matrix - other))
    energy, lost = (float(((part @ gram.double()) * part).sum().clamp_min(0)) for part in (w, d))
    return (lost / energy) ** 0.5 if energy else 0.0


class ActivationSVD(SVD):
    """Cut each matrix, and each convolution as a matrix, where its outputs lose least.

    A factor inside a weight that was factorised before has no inputs of its own to look at, and gets the plain SVD.
    Convolutions in groups are left alone: each group reads other inputs, and no closed form serves all. `prepare`
    raises ValueError without data, for such a convolution alone, and where no picture reaches a layer.

    >>> from labkit import data, zoo
    >>> curve = ActivationSVD().prepare(zoo.load("LeNet-300-100"), data.load("FashionMNIST"), where="fc2")
    >>> curve.at(8).fc2.weight.u.shape
    torch.Size([100, 8])
    """

    title = "Activation-aware SVD"
    idea = "The cut goes where the outputs of the layer lose least on real pictures, not where the weights do."
    equation = (
        r"\min_{\mathrm{rank}\,\hat W = r} \overline{\|(W - \hat W)x\|^2}: \quad \hat W = Q_r Q_r^T W, "
        r"\; Q_r \text{ the main directions of } \overline{y y^T}"
    )
    stores = "two thin matrices for each layer; layers in which the rank does not pay stay as they are"
    drawback = "It needs pictures like those to come, and what those never show is forgotten."
    paper = "wang2025"

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> LeafCurve:
        if data is None:
            raise ValueError("what a layer reads depends on the pictures: give prepare(model, data) the data")
        leaves, grams = sound_leaves(model, where, matrices=True), gram(model, data, PICTURES, where)
        owners = {f"{path}.weight" if path else "weight": path for path in layers.layers(model)}
        fits = {}
        for path, leaf in leaves.items():
            if path not in owners:
                fits[path] = super().fit(leaf)
            elif owners[path] not in grams:
                raise ValueError(f"no picture reaches the layer {owners[path]!r}: choose other layers with `where`")
            elif len(grams[owners[path]]) == 1:
                fits[path] = fit_outputs(leaf, grams[owners[path]][0])
        if leaves and not fits:
            raise ValueError("the layer convolves in groups, and each reads other inputs: choose another, or take SVD")
        return LeafCurve(self, model, self.knob_for(fits), fits)


def fit_outputs(leaf: Weight, gram: Tensor) -> RankFit:
    """Prepare one weight whose inputs have the Gram matrix G (n, n)."""
    values = numbers(leaf).cpu()
    matrix = values.flatten(1)
    return SubspaceFit(*output_directions(matrix, gram), matrix, values.shape, "singular value of the output")
