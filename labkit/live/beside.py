"""The other methods at the same value of the knob, so that they can be compared while it moves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from labkit.live.bench import Bench
from labkit.live.loop import Stale
from labkit.live.result import Choice, Result


class Beside:
    """Holds for each other method whose knob has the same name its latest result, in the order of the panel.

    A result of the knob's last value stays until that of the new value is there.
    """

    def __init__(self, bench: Bench, wanted: bool):
        self.bench, self.wanted = bench, wanted
        self.now: Result | None = None
        self.results: dict[str, Result] = {}

    def move(self, now: Result) -> None:
        """Follow the chosen method to another value, network or layer, without computing anything."""
        before, self.now = self.now, now
        choices = self.bench.others(now.choice) if self.wanted else []
        if before is None or before.base is not now.base or before.choice.where != now.choice.where:
            self.results = {}
        found = {choice.method: self._trained(choice) or self.bench.known(choice, now.base) for choice in choices}
        found = {title: result or self.results.get(title) for title, result in found.items()}
        self.results = {title: result for title, result in found.items() if result is not None}

    def estimate(self, stale: Stale) -> Iterator[None]:
        """Compute each of the others at the present value, coarsely."""
        for choice in self.bench.others(self.now.choice) if self.wanted else []:
            if stale():
                return
            result = self._trained(choice) or self._coarse(choice)
            if self.results.get(choice.method) is not result:
                self._put(choice.method, result)
                yield

    def train(self, title: str, result: Result) -> None:
        """Take a result that was trained together with the chosen one, and keep it as long as that one is shown."""
        self._put(title, result)

    def _trained(self, choice: Choice) -> Result | None:
        """Return what was trained for a choice, where the chosen method's result was trained too."""
        result = self.results.get(choice.method)
        return result if self.now.tuned and result is not None and result.tuned and result.choice == choice else None

    def _coarse(self, choice: Choice) -> Result | None:
        """Return None where the method cannot be applied here: it says why once it is chosen."""
        with contextlib.suppress(Exception):
            if choice.value in self.bench.curve(choice, self.now.base).knob.values:
                return self.bench.coarse(choice, self.now.base)
        return None

    def _put(self, title: str, result: Result | None) -> None:
        found = {**self.results, title: result}
        self.results = {name: found[name] for name in self.bench.methods if found.get(name) is not None}

    def exact(self, stale: Stale) -> Iterator[None]:
        """Measure each of the others to the end."""
        for result in list(self.present.values()):
            yield from self.bench.exact(result, stale)

    def ahead(self) -> Iterator[None]:
        """Compute the others at the values next to the knob."""
        for result in list(self.present.values()):
            yield from self.bench.ahead(result.choice, result.base, (1, -1))

    @property
    def present(self) -> dict[str, Result]:
        """The results that belong to the present value of the knob."""
        return {title: result for title, result in self.results.items() if self._is_here(result.choice)}

    def _is_here(self, choice: Choice) -> bool:
        return replace(choice, method=self.now.choice.method) == self.now.choice
