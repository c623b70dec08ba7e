"""Prune and retrain: cut some weights, let the others make up for them, and cut again (Han 2015).

    after round r of R the sparsity is  s_r = 1 - (1 - s)^(r / R)

so that each round cuts the same share of what is left, down to the sparsity s. Survivors keep the values
that training gave them, and what was cut stays zero. The paper trains to the end after each round. Here all
rounds share the epochs of one recipe and one cycle of the learning rate, so that they compare with one cut
and the same training after it. They lie in the first half of the steps: the last cut is the deepest, and
the network needs the time, and the learning rate, to make up for it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from labkit import layers
from labkit.data import Data
from labkit.methods import LeafCurve, Method
from labkit.pruning.magnitude import Magnitude
from labkit.pruning.ranked import Ranked
from labkit.train import Loss, Progress, Recipe, Trainer, cross_entropy
from labkit.weights import Sparse, Weight

PRUNING = 0.5  # of the steps: in these the rounds begin, at equal distances


def sparsity_after(rounds: int, of: int, sparsity: float) -> float:
    """Return the sparsity after so many rounds of all: 1 - (1 - s)^(r / R).

    >>> round(sparsity_after(1, 2, 0.99), 6)  # two rounds that keep a tenth each
    0.9
    """
    return 1 - (1 - sparsity) ** (rounds / of)


class Masked(Weight):
    """A Weight some of whose numbers are held at zero while the others train: w^ = mask * w.

    No gradient reaches what is cut. Momentum and weight decay still move it, unseen: a mask only loses weights.

    >>> from labkit.weights import Dense
    >>> Masked(Dense(torch.tensor([1.0, 2.0])), torch.tensor([True, False]))().tolist()
    [1.0, 0.0]
    """

    stored = False

    def __init__(self, whole: Weight, mask: Tensor):
        super().__init__()
        self.whole = whole
        self.register_buffer("mask", mask)

    @property
    def shape(self) -> torch.Size:
        return self.whole.shape

    def forward(self) -> Tensor:
        return self.whole() * self.mask

    def settle(self) -> Sparse:
        """Return the Weight that stores the survivors alone."""
        positions = torch.nonzero(self.mask.flatten()).flatten()
        return Sparse(positions, self.whole.take(positions), tuple(self.shape))


def settled(model: nn.Module) -> nn.Module:
    """Return a copy in which each Masked is a Sparse; training the model further does not change it."""
    model = copy.deepcopy(model)
    masked = {path: part for path, part in model.named_modules() if isinstance(part, Masked)}
    return layers.replace(model, {path: part.settle() for path, part in masked.items()})


@torch.no_grad()
def cut(model: nn.Module, data: Data, criterion: Ranked, sparsity: float) -> None:
    """Close the masks of a model up to this sparsity: what is cut already goes first, then the lowest scores."""
    masked = {path: part for path, part in model.named_modules() if isinstance(part, Masked)}
    scores = criterion.scores(masked, model, data)
    left = {path: scores[path].masked_fill(~part.mask, -torch.inf).cpu().flatten() for path, part in masked.items()}
    for path, fit in criterion.fits(masked, left).items():
        masked[path].mask.copy_(fit.kept(sparsity).view(masked[path].shape))


class RoundsCurve(LeafCurve):
    """`at(value)` is one cut without training; `train` reaches the same sparsity in rounds."""

    method: PruneRetrain

    def latent(self, value: float) -> nn.Module:
        """Return the network with masks that hold nothing back yet; without masks where nothing will be cut."""
        if self.knob.check(value) == 0:
            return self.at(0)
        leaves = {path: fit.leaf for path, fit in self.fits.items()}
        masked = {path: Masked(leaf, torch.ones(leaf.shape, dtype=torch.bool)) for path, leaf in leaves.items()}
        return copy.deepcopy(layers.replace(self.model, masked))  # whose leaves were still the original's

    def train(
        self,
        value: float,
        data: Data,
        recipe: Recipe | None = None,
        device: str = "cpu",
        loss: Loss = cross_entropy,
    ) -> Iterator[tuple[Progress, nn.Module]]:
        rounds, criterion, begun = self.method.rounds, self.method.criterion, 1

        def begin(model: nn.Module, progress: Progress) -> None:
            """Begin the round that is due after this step, if it has not begun."""
            nonlocal begun
            due = min(rounds, 1 + int(rounds * progress.step / (PRUNING * progress.steps)))
            if due > begun:
                begun = due
                cut(model, data, criterion, sparsity_after(begun, rounds, value))

        model = self.latent(value)
        trainer = Trainer(model, data, recipe or self.method.recipe, loss, after_step=begin, device=device)
        cut(model, data, criterion, sparsity_after(begun, rounds, value))
        for progress in trainer.run(every=10):
            yield progress, settled(model)


class PruneRetrain(Method):
    """Prune in rounds and train in between; `at` shows one cut without training (Han 2015).

    `rounds` is how many cuts there are, and `criterion` ranks the weights before each: the scope of a
    `Magnitude`, or any other `Ranked`. Raises ValueError for fewer than one round, and for what does not rank.

    >>> PruneRetrain(criterion="layer").title
    'Prune and retrain, same share in each layer'
    """

    title = "Prune and retrain"
    idea = "A few weights are cut, the others train to make up for them, and so on until few are left. "
    idea += "What training moved since the last cut decides about the next."
    equation = r"s_r = 1 - (1 - s)^{r / R}, \quad r = 1, \dots, R"
    stores = "the surviving weights, and the gaps between their positions"
    drawback = "It needs the training data, and with few epochs it wins over one cut only where few weights are left."
    paper = "han2015"
    knob = Ranked.knob
    recipe = Recipe(epochs=3, learning_rate=0.1)

    def __init__(self, rounds: int = 10, criterion: str | Ranked = "network"):
        if type(rounds) is not int or rounds < 1:
            raise ValueError(f"rounds is {rounds!r}, but must be a whole number from 1: 10 are usual here")
        criterion = Magnitude(criterion) if isinstance(criterion, str) else criterion
        if not isinstance(criterion, Ranked):
            raise ValueError(f"criterion is {criterion!r}, but must rank weights: give for example LAMP()")
        self.rounds, self.criterion = rounds, criterion
        if criterion.title != Magnitude.title:
            self.title = f"{self.title}, {criterion.title.removeprefix(f'{Magnitude.title}, ')}"

    def prepare(self, model: nn.Module, data: Data | None = None, where: str | None = None) -> RoundsCurve:
        return RoundsCurve(self, model, self.knob, self.criterion.prepare(model, data, where).fits)
