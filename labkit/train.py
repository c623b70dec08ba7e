"""The one training loop. Methods change what it minimises through three hooks, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.data import Data, Split
from labkit.sharing import by_sharing

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


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

    def __post_init__(self):
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but a recipe needs at least 1")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}, but it must be above 0, for example 0.1")

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


class Trainer:
    """Trains a network in place: for each batch, loss and penalty, one step of SGD, then after_step.

    The hooks: `loss(outputs, labels, images)` replaces the cross-entropy (distillation),
    `penalty(model)` is added to it (group lasso), `after_step(model, progress)` runs after each step
    (clipping, re-applying a mask). The order of the pictures depends on the seed and the epoch
    alone, so a run that was stopped after an epoch goes on exactly as if it had not been.

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
        self.model, self.data, self.recipe = model.to(device), data, recipe
        self.loss, self.penalty, self.after_step = loss, penalty, after_step
        self.device = torch.device(device)
        self.epoch = 0
        self.weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not self.weights:
            raise ValueError("the model has nothing to train: no parameter requires a gradient")
        self.optimiser = torch.optim.SGD(
            by_sharing(model, self.weights),
            recipe.learning_rate,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.momentum > 0,
        )

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
            batch = self.data.train.take(order[index * recipe.batch : (index + 1) * recipe.batch])
            loss, right = self._step(augment(batch, recipe, random), rate)
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
        """Take one step of SGD and return the batch's loss and its number of right answers."""
        images = self.data.normalise(batch.images.to(self.device)).contiguous(memory_format=torch.channels_last)
        labels = batch.labels.to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = rate / math.sqrt(group["sharing"])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bfloat16):
            outputs = self.model(images).float()
        loss = self.loss(outputs, labels, images)
        if self.penalty is not None:
            loss = loss + self.penalty(self.model)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(
                f"training diverged (loss {value}): start again with a learning rate below {rate:.3g}"
            )
        return value, (outputs.argmax(1) == labels).sum().item()

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on later, as named tensors: weights, momentum and the epoch."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for index, weight in enumerate(self.weights):
            momentum = self.optimiser.state[weight].get("momentum_buffer")
            if momentum is not None:
                tensors[f"momentum.{index}"] = momentum
        return tensors | {"epoch": torch.tensor(self.epoch)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict({name[6:]: value for name, value in tensors.items() if name.startswith("model.")})
        for index, weight in enumerate(self.weights):
            if f"momentum.{index}" in tensors:
                self.optimiser.state[weight]["momentum_buffer"] = tensors[f"momentum.{index}"].to(weight)
        self.epoch = int(tensors["epoch"])

    def describe(self) -> dict:
        """The recipe as plain data, for a card."""
        return asdict(self.recipe)


def augment(batch: Split, recipe: Recipe, random: torch.Generator) -> Split:
    """Move each picture by up to `shift` pixels and mirror half of them, as the recipe says."""
    images, count = batch.images, len(batch)
    height, width = images.shape[2:]
    if recipe.flip:
        mirrored = torch.rand(count, generator=random) < 0.5
        images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
    if recipe.shift:
        reach = recipe.shift
        padded = F.pad(images, (reach, reach, reach, reach))
        down, right = torch.randint(0, 2 * reach + 1, (2, count), generator=random)
        rows = (down[:, None] + torch.arange(height)).view(count, 1, height, 1)
        columns = (right[:, None] + torch.arange(width)).view(count, 1, 1, width)
        channels = torch.arange(images.shape[1]).view(1, -1, 1, 1)
        images = padded[torch.arange(count).view(-1, 1, 1, 1), channels, rows, columns]
    return Split(images, batch.labels)
