"""The one training loop. Methods change what it minimises through three hooks, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.augment import augment
from labkit.data import Data, Split
from labkit.hardware import has_bfloat16
from labkit.macs import macs
from labkit.memory import keep_freed_memory
from labkit.sharing import by_sharing
from labkit.threads import threads

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
OPTIMISERS = ("sgd", "adam")
SMALL = 1e8  # multiplications of a batch: for fewer, threads wait for each other longer than they work


@dataclass(frozen=True)
class Recipe:
    """All that decides how a network is trained; with the data and the network it gives the weights."""

    epochs: int = 10
    learning_rate: float = 0.1
    batch: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup: float = 0.2  # share of the steps in which the learning rate rises
    shift: int = 0  # pixels by which pictures are moved at random, in each direction
    flip: bool = False  # mirror half of the pictures
    bfloat16: bool = False  # multiply in bfloat16 (autocast), where the device has it; weights stay float32
    seed: int = 0
    optimiser: str = "sgd"  # or "adam", whose beta1 is then the momentum
    max_norm: float = 0  # after each step, how long a row of a matrix may be (Srivastava 2014); 0: as long as it likes

    def __post_init__(self):
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but a recipe needs at least 1")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}, but it must be above 0, for example 0.1")
        if not self.max_norm >= 0:
            raise ValueError(f"max_norm is {self.max_norm}, but must be at least 0, which leaves rows as they are")
        if self.optimiser not in OPTIMISERS:
            raise ValueError(f"optimiser is {self.optimiser!r}, but must be one of {', '.join(OPTIMISERS)}")

    def rate(self, step: int, steps: int) -> float:
        """The learning rate rises in a line, then falls as a cosine to 0 (one cycle, Smith 2018)."""
        rise = max(1, round(self.warmup * steps))
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        return self.learning_rate * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))) / 2


@dataclass(frozen=True)
class Progress:
    """Where a training run is: what was just done, of how much, with which loss and accuracy."""

    step: int
    steps: int
    epoch: int
    loss: float
    accuracy: float  # share of right answers in the latest batches, 0 to 1
    learning_rate: float


def cross_entropy(outputs: Tensor, labels: Tensor, images: Tensor) -> Tensor:
    """The usual loss of a classifier: -log softmax(outputs)[label], averaged."""
    return F.cross_entropy(outputs, labels)


def square_hinge(outputs: Tensor, labels: Tensor, images: Tensor) -> Tensor:
    """The loss of an L2-SVM: sum over classes of max(0, 1 - t y)^2, averaged over pictures.

    `outputs` y are (n, classes); t is 1 for the label and -1 for each other class (Courbariaux 2015).

    >>> square_hinge(torch.tensor([[2.0, 0.0]]), torch.tensor([0]), torch.empty(0)).item()
    1.0
    """
    targets = 2 * F.one_hot(labels, outputs.shape[1]).to(outputs.dtype) - 1
    return F.relu(1 - targets * outputs).square().sum(1).mean()


def make_optimiser(recipe: Recipe, groups: list[dict]) -> torch.optim.Optimizer:
    """Make the recipe's optimiser for groups of parameters, as `by_sharing` returns them.

    A shared number gets a smaller rate from SGD, whose steps are as large as its gradient. Adam
    divides each gradient by its own size, so it needs no such correction.
    """
    if recipe.optimiser == "adam":
        groups = [group | {"sharing": 1.0} for group in groups]
        betas = (float(recipe.momentum), 0.999)
        return torch.optim.Adam(groups, recipe.learning_rate, betas, weight_decay=recipe.weight_decay)
    momentum = recipe.momentum
    return torch.optim.SGD(
        groups, recipe.learning_rate, momentum, weight_decay=recipe.weight_decay, nesterov=momentum > 0
    )


class Trainer:
    """Trains a network in place: for each batch, loss and penalty, one step of SGD or Adam, then after_step.

    The hooks: `loss(outputs, labels, images)` replaces the cross-entropy (distillation),
    `penalty(model)` is added to it (group lasso), `after_step(model, progress)` runs after each step
    (clipping, re-applying a mask). The order of the pictures depends on the seed and the epoch
    alone, so a run that was stopped after an epoch goes on exactly as if it had not been. `index` are
    the places in the training split of the pictures that are learned now.

    >>> from labkit import data, zoo
    >>> trainer = Trainer(zoo.build("LeNet-300-100"), data.load("MNIST"), Recipe(epochs=1))
    >>> next(trainer.run()).step
    50
    """

    def __init__(
        self,
        model: nn.Module,
        data: Data,
        recipe: Recipe = Recipe(),
        loss: Loss = cross_entropy,
        penalty: Callable[[nn.Module], Tensor] | None = None,
        after_step: Callable[[nn.Module, Progress], None] | None = None,
        device: torch.device | str = "cpu",
    ):
        keep_freed_memory()
        self.data, self.recipe = data, recipe
        self.loss, self.penalty, self.after_step = loss, penalty, after_step
        self.device = torch.device(device)
        # Emulated, it takes ten times as long as float32.
        self._bfloat16 = recipe.bfloat16 and has_bfloat16(self.device)
        self.epoch = 0
        self.index = torch.empty(0, dtype=torch.int64)
        self.go_on_with(model)

    def go_on_with(self, model: nn.Module) -> None:
        """Train this network from here on, in the same cycle of the learning rate: its momentum starts at 0."""
        self.model = model.to(self.device)
        self.weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not self.weights:
            raise ValueError("the model has nothing to train: no parameter requires a gradient")
        self.optimiser = make_optimiser(self.recipe, by_sharing(model, self.weights))
        small = self.recipe.batch * macs(self.model, self.data.image_shape) < SMALL
        self._threads = 1 if small else torch.get_num_threads()

    @property
    def moves(self) -> bool:
        """Whether a picture looks another way each time that it comes."""
        return bool(self.recipe.shift or self.recipe.flip)

    @property
    def steps(self) -> int:
        """How many steps the whole run takes."""
        return self.recipe.epochs * max(1, len(self.data.train) // self.recipe.batch)

    def run(self, every: int = 50) -> Iterator[Progress]:
        """Train to the end, yielding progress every so many steps and after each epoch."""
        while self.epoch < self.recipe.epochs:
            yield from self._run_epoch(every)

    def _run_epoch(self, every: int) -> Iterator[Progress]:
        recipe = self.recipe
        random = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.data.train), generator=random)
        per_epoch = self.steps // recipe.epochs
        self.model.train()
        losses = hits = seen = 0.0
        for index in range(per_epoch):
            step = self.epoch * per_epoch + index
            rate = recipe.rate(step, self.steps)
            self.index = order[index * recipe.batch : (index + 1) * recipe.batch]
            batch = self.data.train.take(self.index)
            with threads(self._threads):
                loss, right = self._step(augment(batch, recipe.shift, recipe.flip, random), rate)
            losses, hits, seen = losses + loss * len(batch), hits + right, seen + len(batch)
            last = index + 1 == per_epoch
            self.epoch += last
            report = (step + 1) % every == 0 or last
            if report or self.after_step:
                progress = Progress(step + 1, self.steps, self.epoch, losses / seen, hits / seen, rate)
                if self.after_step:
                    self.after_step(self.model, progress)
            if report:
                losses = hits = seen = 0.0
                yield progress
                self.model.train()

    def _step(self, batch: Split, rate: float) -> tuple[float, float]:
        """Take one step and return the batch's loss and its number of right answers."""
        images = self.data.normalise(batch.images.to(self.device)).contiguous(memory_format=torch.channels_last)
        labels = batch.labels.to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = rate / math.sqrt(group["sharing"])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16):
            outputs = self.model(images).float()
        loss = self.loss(outputs, labels, images)
        if self.penalty is not None:
            loss = loss + self.penalty(self.model)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        if self.recipe.max_norm:
            self._shorten()
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(
                f"training diverged (loss {value}): start again with a learning rate below {rate:.3g}"
            )
        return value, (outputs.argmax(1) == labels).sum().item()

    @torch.no_grad()
    def _shorten(self) -> None:
        """Scale each row of a matrix that has become longer than the recipe allows back to that length."""
        for weight in self.weights:
            if weight.ndim == 2:
                weight.copy_(weight.renorm(2, 0, self.recipe.max_norm))

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on later, as named tensors: weights, the optimiser's memory and the epoch."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for index, weight in enumerate(self.weights):
            kept = self.optimiser.state[weight].items()  # momentum, and for Adam squares and the count of steps
            tensors |= {f"optimiser.{index}.{name}": value for name, value in kept if isinstance(value, Tensor)}
        return tensors | {"epoch": torch.tensor(self.epoch)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict({name[6:]: value for name, value in tensors.items() if name.startswith("model.")})
        for name, value in tensors.items():
            if name.startswith("optimiser."):
                _, index, part = name.split(".")
                weight = self.weights[int(index)]
                # Adam counts its steps in one number, which stays on the CPU.
                self.optimiser.state[weight][part] = value.clone() if part == "step" else value.to(weight, copy=True)
        self.epoch = int(tensors["epoch"])

    def describe(self) -> dict:
        """The recipe as plain data, for a card."""
        return asdict(self.recipe)
