"""From a point of a sweep to a live panel."""

from __future__ import annotations

from labkit import zoo
from labkit.benchmark import catalogue
from labkit.benchmark.point import Point
from labkit.live.panel import Panel
from labkit.live.result import Choice

OPEN_S = 60.0


def panel(point: Point) -> Panel:
    """Open a panel on the method and value of a point, after its earlier steps, none of them trained.

    Raises ValueError where the point begins with a network that is not shipped.
    """
    if (point.network, point.data, point.variant) not in zoo.available():
        raise ValueError(f"a trained {point.network} on {point.data} is not shipped: choose a point of another network")
    steps = [*point.keep, point]
    methods = [catalogue.make(step.method, step.arguments) for step in steps]
    network = " ".join(filter(None, (point.network, point.variant)))
    first = steps[0]
    begin = Choice(methods[0].title, network, point.data, first.where, "cpu", first.value)
    opened = Panel(methods, None, begin, "validation")
    for step, method in zip(steps[1:], methods[1:], strict=True):
        opened.wait(OPEN_S).press("keep").wait(OPEN_S)
        opened.set(method=method.title).wait(OPEN_S).set(knob=step.value)
    return opened
