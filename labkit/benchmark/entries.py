"""A finished point of a sweep, as a line of a results file has it; such a file may come from a stranger."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from labkit.benchmark.point import Point
from labkit.measure import Accuracy

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Entry:
    """A finished point: what was measured (see `labkit.benchmark.run`), or the error that stopped it.

    `error` has the "type" and a "sentence"; `versions` and `machine` say what it ran on, `when` in
    which second (UTC, ISO 8601).
    """

    point: Point
    result: dict | None = None
    error: dict | None = None
    versions: dict = field(default_factory=dict)
    machine: dict = field(default_factory=dict)
    when: str = ""


def of(record: dict) -> Entry:
    """Return the entry of a record from a file, after checking what others will compute with."""
    record = dict(record)
    key, point = record.pop("key", None), Point.of(record.pop("point", None))
    if key != point.key:
        raise ValueError(f"its key is {json.dumps(key)[:40]}, but its point has {point.key}")
    entry = Entry(point, **record)
    if (entry.result is None) == (entry.error is None):
        raise ValueError("it must have either a result or an error")
    if not all(isinstance(part, dict) for part in (entry.result or entry.error, entry.versions, entry.machine)):
        raise ValueError("result, error, versions and machine must be tables")
    if entry.result is not None:
        _check_result(entry.result)
    return entry


def _check_result(result: dict) -> None:
    for split in SPLITS:
        right, images = result["accuracy"][split]
        if not type(right) is type(images) is int:
            raise ValueError(f"the accuracy on {split} is {right!r:.40} of {images!r:.40}")
        Accuracy(right, images)
    if type(result["bytes"]) is not int or not 0 < result["bytes"] < 2**50:
        raise ValueError(f"bytes are {result['bytes']!r:.40}")
