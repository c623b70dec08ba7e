"""One run of a sweep, with all that is needed to do it again, and a key that stays the same."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import MISSING, asdict, dataclass, field, fields

from labkit.benchmark.tables import NUMBER, checked


@dataclass(frozen=True)
class Step:
    """A method at a value of its knob, on one layer or (`where` None) all, then trained where `train` says how."""

    method: str
    value: float
    arguments: dict = field(default_factory=dict)
    where: str | None = None
    train: dict | None = None

    def __post_init__(self):
        object.__setattr__(self, "value", whole(self.value))


@dataclass(frozen=True)
class Point:
    """One network, compressed by one method at one value of its knob, after the steps of `keep`.

    `train` holds what differs from the usual in a `labkit.train.Recipe` (None: nothing is trained),
    and `where` the path of a layer (None: the whole network).

    >>> point = Point("LeNet-5", "MNIST", "quantization.KMeans", 4)
    >>> point.record()
    {'network': 'LeNet-5', 'data': 'MNIST', 'method': 'quantization.KMeans', 'value': 4}
    >>> len(point.key), Point.of(point.record()) == point
    (16, True)
    """

    network: str
    data: str
    method: str
    value: float
    variant: str = ""
    arguments: dict = field(default_factory=dict)
    where: str | None = None
    seed: int = 0
    start: str = "checkpoint"
    train: dict | None = None
    loss: str = "cross_entropy"
    keep: tuple[Step, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "value", whole(self.value))

    def record(self) -> dict:
        """Return the point as plain data, without the fields that are as usual.

        So a field that is added later, with a default, changes no key.
        """
        return _shortened(self, Point("", "", "", 0)) | (
            {"keep": [_shortened(step, Step("", 0)) for step in self.keep]} if self.keep else {}
        )

    @property
    def key(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the record as canonical JSON."""
        text = json.dumps(self.record(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @staticmethod
    def of(record: dict) -> Point:
        """Return the point of a record; raise ValueError where a field is missing, unknown or of another kind."""
        plain = _finite(checked(record, _POINT, _NEEDED, "a point"))
        steps = [Step(**_finite(checked(step, _STEP, _NEEDED[2:], "a step of keep"))) for step in plain.get("keep", ())]
        return Point(**plain | {"keep": tuple(steps)})


_STEP = {
    "method": str,
    "value": NUMBER,
    "arguments": dict,
    "where": (str, type(None)),
    "train": (dict, type(None)),
}
_POINT = _STEP | {
    "network": str,
    "data": str,
    "variant": str,
    "seed": int,
    "start": str,
    "loss": str,
    "keep": (list, tuple),
}
_NEEDED = ("network", "data", "method", "value")


def _shortened(record: Point | Step, usual: Point | Step) -> dict:
    """Return the fields that must be given and those that are not as usual."""
    needed = [part.name for part in fields(record) if part.default is part.default_factory is MISSING]
    plain = {name: value for name, value in asdict(record).items() if name != "keep"}
    return {name: value for name, value in plain.items() if name in needed or value != getattr(usual, name)}


def whole(value: float) -> float:
    """Write 4.0 as 4, so that equal numbers give equal keys.

    >>> whole(4.0), whole(0.5)
    (4, 0.5)
    """
    return int(value) if float(value).is_integer() else float(value)


def _finite(record: dict) -> dict:
    if not math.isfinite(record["value"]):
        raise ValueError(f"the value of the knob is {record['value']}, which is no number")
    return record
