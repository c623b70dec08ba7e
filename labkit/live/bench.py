"""The bench behind a panel: networks, prepared curves and measured results, without any widget."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import nn

from labkit import data as datasets
from labkit import layers, storage, zoo
from labkit.evaluate import Evaluator, Full
from labkit.live.loop import Stale
from labkit.live.recent import Recent
from labkit.live.result import OWN, Base, Choice, Result, Subject
from labkit.live.scan import Scan
from labkit.live.timing import timing
from labkit.macs import calls, counted, macs, same_layers
from labkit.methods import Curve, Method, Picture

ESTIMATE_S = 0.02  # for the accuracy under the finger
AT_ONCE_S = 0.04  # a network whose whole split takes no longer needs no estimate
SPAN_S = 0.25  # between two pictures while the full split is evaluated


class Bench:
    """Computes what a panel shows, coarse first; only the panel's worker thread calls it."""

    def __init__(self, methods: Sequence[Method], own: nn.Module | None, split: str, beside: bool = False):
        self.methods = {method.title: method for method in methods}
        self.own, self.split = own, split
        at_once = len(methods) if beside else 1  # so many methods are computed at each value of the knob
        self._subjects, self._curves, self._results = Recent(2), Recent(at_once + 3), Recent(6 * at_once + 18)
        self._scans: dict[tuple, Scan] = {}  # for the life of the panel

    def networks(self, data: str) -> list[str]:
        """List the networks to choose from for a data set."""
        names = [" ".join(filter(None, (name, variant))) for name, on, variant in zoo.available() if on == data]
        return [OWN] * (self.own is not None) + names

    def data_sets(self, always: str) -> list[str]:
        """List the data sets for which there is a trained network."""
        return list(dict.fromkeys([always, *(on for _, on, _ in zoo.available())]))

    def opened(self, choice: Choice) -> bool:
        """Say whether `subject` answers at once."""
        return (choice.network, choice.data, choice.device) in self._subjects.items

    def clear(self) -> None:
        """Forget everything that was computed."""
        for cache in (self._subjects.items, self._curves.items, self._results.items, self._scans):
            cache.clear()

    def subject(self, choice: Choice) -> Subject:
        """Load the network and its data, and measure it uncompressed."""
        key = (choice.network, choice.data, choice.device)
        return self._subjects.get(key, lambda: self._open(*key))

    def _open(self, network: str, data_name: str, device: str) -> Subject:
        data = datasets.load(data_name)
        if network == OWN:
            model = layers.adopt(self.own).eval()
        else:
            name, _, variant = network.partition(" ")
            model = zoo.load(name, data_name, variant)
        evaluator = Evaluator(model, data, self.split, device)
        uses = calls(model, data.image_shape)
        return Subject(network, data, device, evaluator, Base(model), storage.size(model), uses, counted(model, uses))

    def curve(self, choice: Choice, base: Base) -> Curve:
        """Prepare a method for a base, once."""

        def make() -> tuple[Base, Curve]:
            method = self.methods[choice.method]
            return base, method.prepare(base.model, self.subject(choice).data, choice.where)

        # The base is kept beside its curve: a key by id is sound only as long as the object lives.
        return self._curves.get((id(base), choice.method, choice.where, choice.data), make)[1]

    def settle(self, choice: Choice, base: Base) -> Choice:
        """Put the knob's start where no value is chosen, or one that this knob does not have."""
        knob = self.curve(choice, base).knob
        return choice if choice.value in knob.values else replace(choice, value=knob.start)

    def coarse(self, choice: Choice, base: Base) -> Result:
        """Compress, count the bytes, estimate the accuracy: what a finger waits for."""
        return self._results.get((id(base), choice), lambda: self._coarse(choice, base))

    def _coarse(self, choice: Choice, base: Base) -> Result:
        curve = self.curve(choice, base)
        result = self.describe(choice, base, curve.at(choice.value).eval())
        result.picture = self.picture(curve, choice)
        return result

    def describe(self, choice: Choice, base: Base, model: nn.Module) -> Result:
        """Measure a model coarsely."""
        subject = self.subject(choice)
        known = same_layers(model, subject.uses)
        multiplications = counted(model, subject.uses) if known else macs(model, subject.data.image_shape)
        result = Result(choice, base, model, storage.size(model), multiplications)
        if subject.evaluator.full_s <= AT_ONCE_S:
            for full in subject.evaluator.full(model):
                self._take(result, full)
        else:
            result.estimate = subject.evaluator.estimate(model, ESTIMATE_S)
        return result

    @staticmethod
    def _take(result: Result, full: Full) -> None:
        """Take over what is known of the whole split."""
        result.accuracy, result.predictions, result.complete = full.accuracy, full.predictions, full.done

    def picture(self, curve: Curve, choice: Choice) -> Picture | None:
        """Take the method's picture of the chosen layer, or of the largest one that it touches."""
        paths = sorted(layers.layers(curve.model).items(), key=lambda item: -item[1].weight.shape.numel())
        for path in [choice.where] if choice.where else [path for path, _ in paths]:
            try:
                return curve.picture(choice.value, path)
            except (ValueError, NotImplementedError):
                continue
        return None

    def exact(self, result: Result, stale: Stale) -> Iterator[None]:
        """Fill in the accuracy on the whole split, a yield each time that there is more to show."""
        shown = time.perf_counter()
        if not result.complete:
            for full in self.subject(result.choice).evaluator.full(result.model, stale):
                self._take(result, full)
                if full.done or time.perf_counter() - shown > SPAN_S:
                    yield
                    shown = time.perf_counter()

    def refine(self, result: Result, ahead: Iterator[None], stale: Stale) -> Iterator[None]:
        """Fill in the exact accuracy, then the time for one picture; between the two compute a step `ahead`."""
        yield from self.exact(result, stale)
        if result.complete and not stale():
            next(ahead, None)
            if not stale():
                yield from timing(self.subject(result.choice), result, stale)

    def ahead(self, choice: Choice, base: Base, steps: Sequence[int] = (1, -1, 2, -2)) -> Iterator[None]:
        """Compute the values next to the knob, so that the next key press finds them."""
        values = self.curve(choice, base).knob.values
        here = values.index(choice.value)
        for step in steps:
            if 0 <= here + step < len(values):
                with contextlib.suppress(Exception):  # said when the knob gets there
                    self.coarse(replace(choice, value=values[here + step]), base)
                yield

    def others(self, choice: Choice) -> list[Choice]:
        """List the same choice for each other method whose knob has the same name."""
        name = self.methods[choice.method].knob.name
        titles = [title for title, method in self.methods.items() if method.knob.name == name]
        return [replace(choice, method=title) for title in titles if title != choice.method]

    def known(self, choice: Choice, base: Base) -> Result | None:
        """Return what `coarse` would, if it need not be computed."""
        return self._results.items.get((id(base), choice))

    def scan(self, choice: Choice, base: Base) -> Scan:
        """Return the sensitivity scan of the method, as far as it has come."""
        key = (choice.method, choice.network, choice.data, choice.device, id(base) if base.kept else None)
        if key not in self._scans:
            self._scans[key] = Scan(self.curve(choice, base), base, lambda: self.subject(choice))
        return self._scans[key]
