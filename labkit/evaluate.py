"""Fast evaluation under a slider: an estimate within tens of milliseconds, then the whole split."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from labkit import doubt
from labkit.data import Data
from labkit.estimate import Estimate, Sample, margins
from labkit.hardware import has_bfloat16
from labkit.measure import Accuracy
from labkit.memory import keep_freed_memory
from labkit.skeleton import Skeleton
from labkit.threads import Contest, threads

BATCHES = (50, 100, 200, 500, 1000)
CONVOLUTION_BATCH = 200  # larger ones fault in new memory for every activation
BATCH_S = 0.035  # in float32: a stale refinement must notice within 20 to 40 ms
IMAGE_MEMORY = 64 << 20  # bytes of normalised pictures that are kept


@dataclass(frozen=True)
class Full:
    """How far the evaluation of the whole split has come.

    `predictions` (n,) in the order of the split, -1 where not yet known. `accuracy` is an Estimate
    until all is known, then the Accuracy itself.
    """

    predictions: Tensor = field(repr=False)
    accuracy: Accuracy | Estimate
    done: bool


class Evaluator:
    """Evaluates compressed copies of one network again and again, on one split of one data set.

    The network is folded and laid out for speed once; for each new model only the weights that
    differ are copied in, and what comes before the first of them is not computed again. A model of
    another structure is folded anew, once for all widths of its layers; one that cannot be folded
    runs as it is. Use it from one thread at a time. Raises ValueError for a split or a device that
    does not exist.

    >>> from labkit import data, zoo
    >>> model = zoo.load("LeNet-300-100", "MNIST")
    >>> evaluator = Evaluator(model, data.load("MNIST"))
    >>> evaluator.estimate(model).value == evaluator.reference.value
    True
    """

    def __init__(
        self,
        model: nn.Module,
        data: Data,
        split: str = "validation",
        device: torch.device | str = "cpu",
        seed: int = 0,
        bfloat16: bool | None = None,
    ):
        self.data, self.device = data, torch.device(device)
        part = data.split(split)
        keep_freed_memory()
        self._images, self._labels = part.images, part.labels
        self._example = data.normalise(part.images[:2].to(self.device))
        self._exact = self._quick = Skeleton(model, self._example)
        self._contest = Contest(torch.get_num_threads() if self.device.type == "cpu" else 1)
        self.batch = self._tune()
        self._ready = self._normalised()
        begin = time.perf_counter()
        batches = (functools.partial(self._outputs, self._exact, start) for start in range(0, len(part), self.batch))
        outputs = torch.cat([self._contest.run(batch) for batch in batches]).cpu()
        self.full_s = time.perf_counter() - begin  # about what a whole evaluation takes
        self.predictions = outputs.argmax(1)
        self.right = self.predictions == part.labels
        self.reference = Accuracy(int(self.right.sum()), len(part))
        self._sample = Sample(margins(outputs), self.right, seed)
        self._images, self._labels = part.images[self._sample.order], part.labels[self._sample.order]
        self._ready = self._normalised()
        if has_bfloat16(self.device) if bfloat16 is None else bfloat16:
            self._quick = Skeleton(model, self._example, torch.bfloat16)
        self._other: dict[torch.dtype, Skeleton] = {}

    def estimate(self, model: nn.Module, budget_s: float = 0.05, at_least: int = 100) -> Estimate:
        """Estimate the accuracy of a model from as many pictures as the time allows, `at_least` so many.

        The time, in seconds, starts with the loading of the weights. See `labkit.estimate`.
        """
        begin = now = time.perf_counter()
        found: list[Tensor] = []
        with threads(self._contest.best):
            skeleton = self._load(model, self._quick)
            for start in range(0, len(self._labels), self.batch):
                found.append(self._outputs(skeleton, start).argmax(1))
                before, now = now, time.perf_counter()
                if start + self.batch >= at_least and 2 * now - before - begin > budget_s:
                    break
        predictions = torch.cat(found).cpu()
        return self._sample.estimate(predictions, self._labels[: len(predictions)])

    def full(self, model: nn.Module, stale: Callable[[], bool] = lambda: False) -> Iterator[Full]:
        """Evaluate a model on the whole split, yielding what is known after each batch.

        Where the processor multiplies bfloat16 itself, all pictures are run in it first, and then in
        float32 those whose answer rounding could have changed (see `labkit.doubt`). Returns early as
        soon as `stale()` is true. The last yield is `done`, and its answers are float32's.
        """
        count = len(self._labels)
        found, unsure = torch.full((count,), -1), torch.zeros(count, dtype=torch.bool)
        exact = _Loaded(self, model, self._exact)
        first, share = self._first(model, exact)
        self._contest.reopen()
        for start in range(0, count, self.batch):
            if stale():
                return
            outputs = self._contest.run(lambda start=start: self._outputs(first.ready(), start))
            found[start : start + self.batch] = outputs.argmax(1).cpu()
            if first is not exact:
                unsure[start : start + self.batch] = doubt.doubtful(outputs, share).cpu()
            if start + self.batch < count:
                yield self._so_far(found, start + self.batch)
        for index in torch.nonzero(unsure).flatten().split(self.batch):
            if stale():
                return
            outputs = self._contest.run(lambda index=index: exact.ready().run(None, lambda: self._pictures(index)))
            found[index] = outputs.argmax(1).cpu()
        yield self._so_far(found, count, done=True)

    def _first(self, model: nn.Module, exact: _Loaded) -> tuple[_Loaded, float]:
        """Choose what all pictures are run in first, and return the largest error it makes on the first batch."""
        if self._quick is self._exact:
            return exact, 0.0
        quick = _Loaded(self, model, self._quick)
        outputs = self._outputs(quick.ready(), 0)
        share = doubt.rounding(outputs, self._outputs(exact.ready(), 0))
        return (quick if doubt.doubtful(outputs, share).float().mean() <= doubt.MOST else exact), share

    def _so_far(self, found: Tensor, seen: int, done: bool = False) -> Full:
        """Put the first answers, given in the sample's order, into the order of the split."""
        accuracy: Accuracy | Estimate = Accuracy(int((found == self._labels).sum()), len(found))
        if not done:
            accuracy = self._sample.estimate(found[:seen].clone(), self._labels[:seen])
        predictions = torch.empty_like(found)
        predictions[self._sample.order] = found
        return Full(predictions, accuracy, done)

    def _load(self, model: nn.Module, skeleton: Skeleton) -> Skeleton:
        """Bring the weights of a model into a skeleton that has its structure."""
        if not skeleton.fits(model):
            other = self._other.get(skeleton.dtype)
            if other is None or not (other.fits(model) or other.refit(model, self._example)):
                other = self._other[skeleton.dtype] = Skeleton(model, self._example, skeleton.dtype)
            skeleton = other
        skeleton.load(model)
        return skeleton

    def _outputs(self, skeleton: Skeleton, start: int) -> Tensor:
        return skeleton.run(start, lambda: self._pictures(slice(start, start + self.batch)))

    def _pictures(self, which: slice | Tensor) -> Tensor:
        return self._normalise(self._images[which]) if self._ready is None else self._ready[which]

    def _normalise(self, images: Tensor) -> Tensor:
        return self.data.normalise(images.to(self.device)).contiguous(memory_format=torch.channels_last)

    def _normalised(self) -> Tensor | None:
        """Normalise all pictures at once, unless that takes too much memory."""
        return self._normalise(self._images) if 4 * self._images.numel() <= IMAGE_MEMORY else None

    def _tune(self) -> int:
        """Choose the largest batch that takes `BATCH_S` at most."""
        pictures = self._normalise(self._images[: BATCHES[0]])
        work = functools.partial(self._exact.run, None, lambda: pictures)
        work()  # the first run of all sets up kernels and memory
        took = []
        for _ in range(4):
            begin = time.perf_counter()
            self._contest.run(lambda: work().argmax(1).cpu())
            took.append(time.perf_counter() - begin)
        convolves = any(parameter.ndim == 4 for stage in self._exact.stages for parameter in stage.parameters())
        top = CONVOLUTION_BATCH if convolves and self.device.type == "cpu" else BATCHES[-1]
        allowed = [batch for batch in BATCHES if batch <= top and min(took) * batch / BATCHES[0] <= BATCH_S]
        return max(allowed, default=BATCHES[0])


class _Loaded:
    """A skeleton that holds a model's weights, and takes them again where another model came in between."""

    def __init__(self, evaluator: Evaluator, model: nn.Module, skeleton: Skeleton):
        self._load = lambda: evaluator._load(model, skeleton)
        self.skeleton, self.version = None, -1

    def ready(self) -> Skeleton:
        if self.skeleton is None or self.skeleton.version != self.version:
            self.skeleton = self._load()
            self.version = self.skeleton.version
        return self.skeleton
