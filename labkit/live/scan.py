"""The sensitivity scan of one method on one network, which goes on where it was left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import nn

from labkit import sensitivity
from labkit.live.result import Base, Subject
from labkit.methods import Curve

POINT_S = 0.04  # for the accuracy of one point: a key press must not wait long for it
PICTURES = 300  # but at least so many: then it is known to about a point where little is lost


class Scan:
    """Accuracy against the knob for each layer alone, one more point at each `step`.

    `subject()` returns the network's own evaluator and data, also where they were closed in the meantime.
    `points` is in the order of the scan, `reference` the accuracy of the untouched network, and `failed`
    says why there is no more; `images` is the least number of pictures behind a point.
    """

    def __init__(self, curve: Curve, base: Base, subject: Callable[[], Subject]):
        self.knob, self.base = curve.knob, base  # the scan is found by its base's id, so the base must live as long
        self._subject = subject
        self.points: list[sensitivity.Point] = []
        self.images: int | None = None
        self.reference = self._measure(base.model)
        self.complete, self.failed = False, ""
        self._steps = self._begin(curve)

    def _begin(self, curve: Curve) -> Iterator[sensitivity.Point]:
        data = self._subject().data
        yield from sensitivity.scan(self.base.model, curve.method, data, measure=self._measure)

    def _measure(self, model: nn.Module) -> float:
        estimate = self._subject().evaluator.estimate(model, POINT_S, PICTURES)
        self.images = min(self.images or estimate.images, estimate.images)
        return estimate.value

    def step(self) -> None:
        """Compute one more point, or find out that there is none."""
        try:
            self.points.append(next(self._steps))
        except StopIteration:
            self.complete = True
        except Exception as error:  # whatever a method does to a single layer, the panel goes on
            self.complete, self.failed = True, str(error).strip() or type(error).__name__

    @property
    def curves(self) -> dict[str, dict[float, float]]:
        """For each layer its accuracy by value, the mildest value first."""
        return sensitivity.collect(self.points)
