"""Soft weight-sharing: training pulls all weights to few values, most of them to zero (Ullrich 2017).

    minimise  L + tau / m  sum_i -log sum_j pi_j N(w_i; mu_j, s_j^2)

over the weights and the mixture, m the number of training pictures. Component 0 sits at zero and has almost all
of the prior: a weight must earn its place elsewhere. At the end each weight becomes the mean of the component
that is most responsible for it. So one training prunes and quantizes, and how many weights survive comes out of
it; the knob says only how many values there are. One mixture serves all layers.

The mixture starts as expectation-maximisation fits it to the trained weights, and learns with an Adam of its own,
at the rates of the authors' published code but for the precisions. That code starts wider, and trains ten times as
long with a smaller tau. Where two means come to lie close together, it merges them; here both stay in the codebook.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from labkit import layers
from labkit.data import Data
from labkit.methods import Knob, LeafCurve, Method, Picture, numbers, sound_leaves
from labkit.pruning.mixture import Mixture, expectation_maximisation, tabulated
from labkit.train import Loss, Progress, Recipe, Trainer, cross_entropy
from labkit.weights import Codebook, Latent, Sparse, Weight, settle

ZERO = 0.99  # the prior share of component 0
BINS = 2048  # in which the weights are counted for expectation-maximisation
RATES = (1e-4, 1e-2, 3e-3)  # of Adam for means, precisions and shares


def assigned(values: Tensor, mixture: Mixture) -> Sparse:
    """Return the weight in which each number is the mean of its component, and those of component 0 are zero.

    `values` have any shape (Ullrich 2017).

    >>> mixture = Mixture(torch.tensor([0.5, -0.5]), torch.full((3,), 6.0), torch.zeros(2), 0.9)
    >>> assigned(torch.tensor([[0.01, 0.48], [-0.6, 0.0]]), mixture)().tolist()
    [[0.0, 0.5], [-0.5, 0.0]]
    """
    component = mixture.responsible(values.detach().flatten())
    positions = torch.nonzero(component).flatten()
    used, codes = component[positions].unique(return_inverse=True)
    return Sparse(positions, Codebook(codes, mixture.centres().detach()[used]), tuple(values.shape))


class Softened(Latent):
    """Weights on their way to the means of a mixture: they compute as they are, and settle to the means."""

    def __init__(self, values: Tensor, mixture: Mixture):
        super().__init__(values)
        self.mixture = mixture

    def forward(self) -> Tensor:
        return self.values

    def settle(self) -> Weight:
        return assigned(self.values, self.mixture)


class Fits:
    """The weights of all layers in one row, and the mixtures that were fitted to it by components."""

    def __init__(self, row: Tensor):
        self.row = row
        self.found: dict[int, Mixture] = {}

    @functools.cached_property
    def bins(self) -> tuple[Tensor, Tensor]:
        """The middles of narrow bins that hold a weight, and how many each holds."""
        counts, edges = np.histogram(self.row.double().cpu().numpy(), bins=BINS)
        return torch.from_numpy((edges[1:] + edges[:-1]) / 2)[counts > 0], torch.from_numpy(counts[counts > 0]).double()

    def mixture(self, components: int) -> Mixture:
        """Return the mixture that expectation-maximisation fits to the binned weights."""
        if components not in self.found:
            middles, counts = self.bins
            start = Mixture.spread(middles, components, ZERO)
            self.found[components] = expectation_maximisation(start, middles, counts).like(self.row)
        return self.found[components]


@dataclass
class SoftFit:
    """One weight, and the mixtures of the whole network."""

    values: Tensor
    fits: Fits

    def at(self, components: int) -> Weight:
        """Return the weight in which each number has the mean of its component."""
        return assigned(self.values, self.fits.mixture(components))

    def picture(self, components: int, name: str) -> Picture:
        """The histogram of the weights with the means that some of them get."""
        weight = self.at(components)
        counts, edges = np.histogram(self.values.cpu().numpy(), bins=100)
        marks = weight.values.centroids().detach().cpu().numpy()
        zeros = 1 - len(weight.positions) / self.values.numel()
        title = f"{name}: {100 * zeros:.1f} % become zero, the others one of {len(marks)} values"
        return Picture(
            kind="histogram",
            title=title,
            x=f"weight of {name}",
            y="how many weights",
            values=counts,
            edges=edges,
            marks=marks,
            text=f"Histogram of the weights of {name} before training, with the means of the mixture. {title}.",
        )


class SoftCurve(LeafCurve):
    """All weights under one mixture: `at(value)` fits it to the weights as they are, `train` learns both."""

    def train(
        self,
        value: int,
        data: Data,
        recipe: Recipe | None = None,
        device: str = "cpu",
        loss: Loss = cross_entropy,
    ) -> Iterator[tuple[Progress, nn.Module]]:
        fits = next(iter(self.fits.values())).fits
        mixture = fits.mixture(self.knob.check(value)).like(fits.row.to(device))
        parts = {path: Softened(fit.values, mixture) for path, fit in self.fits.items()}
        model = layers.replace(self.model, parts)
        free = zip(mixture.free(), RATES, strict=True)
        optimiser = torch.optim.Adam([{"params": [part.requires_grad_()], "lr": rate} for part, rate in free])
        price = self.method.tau / len(data.train)

        def penalty(model: nn.Module) -> Tensor:
            row = torch.cat([part.values.flatten() for part in parts.values()])
            return price * (tabulated(mixture, row).sum() + mixture.hyper())

        def learn(model: nn.Module, progress: Progress) -> None:
            optimiser.step()
            optimiser.zero_grad()

        trainer = Trainer(model, data, recipe or self.method.recipe, loss, penalty, learn, device)
        for progress in trainer.run(every=10):
            yield progress, settle(model)


class SoftWeightSharing(Method):
    """Train the weights under a mixture of Gaussians that is learnt along, then give each its component's mean.

    `tau` is the weight of -log p beside the loss. Raises ValueError for one that is not above 0.

    >>> SoftWeightSharing(0)
    Traceback (most recent call last):
    ValueError: tau is 0, but must be above 0, for example 0.2
    """

    title = "Soft weight-sharing"
    idea = "Training pulls each weight to the nearest of few values, and most to zero. The values are learnt along."
    equation = r"\min_{w, \theta} L(w) - \frac{\tau}{m} \sum_i \log \sum_j \pi_j N(w_i; \mu_j, \sigma_j^2)"
    stores = "the positions of the weights that are not zero, a code for each, and one list of values for each layer"
    drawback = (
        "The sparsity comes out of the training and cannot be asked for, and another price tau needs another run."
    )
    paper = "ullrich2017"
    knob = Knob("components", "values besides zero", (4, 8, 16), 16)
    recipe = Recipe(epochs=3, learning_rate=4e-3, weight_decay=0, optimiser="adam")

    def __init__(self, tau: float = 0.2):
        if not tau > 0:
            raise ValueError(f"tau is {tau!r}, but must be above 0, for example 0.2")
        self.tau = tau

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> SoftCurve:
        leaves = sound_leaves(model, where)
        if not leaves:
            raise ValueError("pruning left no weight here, so there is nothing to share: choose another layer")
        values = {path: numbers(leaf).clone() for path, leaf in leaves.items()}
        fits = Fits(torch.cat([part.flatten() for part in values.values()]))
        return SoftCurve(self, model, self.knob, {path: SoftFit(part, fits) for path, part in values.items()})
