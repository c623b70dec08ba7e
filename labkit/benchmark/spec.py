"""What a sweep is to run: a TOML file in data/sweeps, and the points that it stands for.

about = "k-means at every number of bits"         # may be left out

[[runs]]                                          # every combination of what follows
networks = ["LeNet-5", { name = "VGG", data = "MNIST", variant = "" }]    # data is FashionMNIST if left out
methods = ["quantization.KMeans", { name = "pruning.Magnitude", arguments = { scope = "layer" } }]
values = "all"                                    # of the knob, or a list
seeds = [0, 1, 2]                                 # [0] if left out, and so on:
where = ["fc1"]                                   # layers; the whole network
keep = [{ name = "pruning.Magnitude", value = 0.9 }]    # done before, with where and train as here; nothing
train = { epochs = 3 }                            # the method's own recipe, changed so; nothing is trained
start = "scratch"                                 # an untrained network; "checkpoint"
loss = "square_hinge"                             # "cross_entropy"
"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from labkit import data as datasets
from labkit import layers, zoo
from labkit.benchmark import catalogue
from labkit.benchmark.point import Point, Step
from labkit.benchmark.run import prepared
from labkit.benchmark.tables import NUMBER, checked
from labkit.methods import Knob, LeafMethod, Method
from labkit.train import Recipe

SWEEPS = datasets.ROOT / "sweeps"
STARTS = ("checkpoint", "scratch")
_RUN = {
    "networks": list,
    "methods": list,
    "values": (str, list),
    "seeds": list,
    "where": list,
    "keep": list,
    "train": dict,
    "start": str,
    "loss": str,
}
_NETWORK = {"name": str, "data": str, "variant": str}
_METHOD = {"name": str, "arguments": dict}
_KEEP = _METHOD | {"value": NUMBER, "where": str, "train": dict}
_RECIPE = {"int": int, "float": NUMBER, "bool": bool, "str": str}


@dataclass(frozen=True)
class Spec:
    """A sweep's file, whose tables have the right keys; `points` checks what they say."""

    path: Path
    runs: tuple[dict, ...]

    @property
    def name(self) -> str:
        """The name of the file, under which the results are kept."""
        return self.path.stem


def read(spec: str | Path, folder: Path = SWEEPS) -> Spec:
    """Read a spec from a path, or by the name of one in data/sweeps; raise ValueError for any mistake in it."""
    path = Path(spec)
    if path.suffix != ".toml":
        path = Path(folder) / f"{spec}.toml"
    if not re.fullmatch(r"\w[\w-]*", path.stem):
        raise ValueError(f"{path}: the file's name may have letters, digits, _ and - only, since its results bear it")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        runs = checked(content, {"about": str, "runs": list}, ("runs",), "the file")["runs"]
        return Spec(path, tuple(checked(run, _RUN, ("networks", "methods", "values"), "a run") for run in runs))
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in Path(folder).glob("*.toml")))
        raise ValueError(f"{path} cannot be read: give the path of a spec, or the name of one of {known}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def points(spec: Spec) -> list[Point]:
    """Return the points of a spec, each once; raise ValueError for all that can be known to be wrong.

    Where "all" values of a knob depend on the network, the method is prepared for it, to ask.
    """
    try:
        found = {point.key: point for run in spec.runs for point in _run_points(run)}
    except ValueError as error:
        raise ValueError(f"{spec.path}: {error}") from error
    return list(found.values())


def _run_points(run: dict) -> list[Point]:
    """Multiply out one run."""
    seeds, wheres = run.get("seeds", [0]), run.get("where", [None])
    for name in ("networks", "methods", "values", "seeds", "where"):
        if name in run and not run[name]:
            raise ValueError(f"{name} is empty: give at least one, or leave it out where it may be")
    common = {
        "keep": tuple(map(_step, run.get("keep", []))),
        "start": run.get("start", "checkpoint"),
        "loss": run.get("loss", "cross_entropy"),
    }
    found = []
    for network, method, where in itertools.product(run["networks"], run["methods"], wheres):
        named = _named(method, _METHOD, "a method")
        about = _network(network) | {"arguments": named.get("arguments", {}), "where": where} | common
        first = Point(method=named["name"], value=0, train=_train(run, named["name"]), **about)
        _check(first)
        values = _values(run["values"], first)
        found += [replace(first, value=value, seed=_seed(seed)) for value in values for seed in seeds]
    return found


def _check(point: Point) -> None:
    """Check all of a point but its value and its seed."""
    if point.start not in STARTS:
        raise ValueError(f"start is {point.start!r}, but must be one of {', '.join(STARTS)}")
    if point.start == "scratch":
        if point.variant:
            raise ValueError(f"variant is {point.variant!r}, but an untrained network has none: leave it out")
        if point.data not in datasets.NAMES:
            raise ValueError(f"data set {point.data!r} is unknown: choose one of {', '.join(datasets.NAMES)}")
    elif (point.network, point.data, point.variant) not in zoo.available():
        known = "; ".join(" ".join(filter(None, names)) for names in zoo.available())
        wanted = " ".join(filter(None, (point.network, point.data, point.variant)))
        raise ValueError(f"there is no trained {wanted}: there are {known}")
    known = layers.layers(layers.adopt(zoo.build(point.network)))
    for where in (point.where, *(step.where for step in point.keep)):
        if where is not None and where not in known:
            raise ValueError(f"{point.network} has no layer {where!r}: it has {', '.join(known)}")
    catalogue.loss(point.loss)
    catalogue.make(point.method, point.arguments)
    if point.train is None and (point.start == "scratch" or point.loss != "cross_entropy"):
        raise ValueError("start and loss say how to train, but nothing is trained: add train = { epochs = 1 }")


def _train(run: dict, method: str) -> dict | None:
    """Return the fields in which a run's recipe differs from `Recipe()`, so that new fields change no key."""
    if "train" not in run:
        return None
    kinds = {part.name: _RECIPE[part.type] for part in fields(Recipe) if part.name != "seed"}
    recipe = asdict(replace(catalogue.method(method).recipe, **checked(run["train"], kinds, (), "train")))
    usual = asdict(Recipe())
    return {name: recipe[name] for name in kinds if recipe[name] != usual[name]}


def _values(values: str | list, point: Point) -> tuple:
    """Return the values of the knob for a point, after checking those that are known beforehand."""
    method = catalogue.make(point.method, point.arguments)
    knob = _fixed(method)
    if values == "all":
        return (knob or prepared(point, datasets.load(point.data))[0].knob).values
    if isinstance(values, str):
        raise ValueError(f'values is {values!r}, but must be "all" or a list of numbers')
    for value in values:
        if isinstance(value, bool) or not isinstance(value, NUMBER) or not math.isfinite(value):
            raise ValueError(f"values has {value!r}, which is no number")
        if knob is not None:
            knob.check(value)
    return tuple(values)


def _fixed(method: Method) -> Knob | None:
    """Return the knob of a method where it is the same for every network; None where that is not sure."""
    kind = type(method)
    same = issubclass(kind, LeafMethod) and kind.prepare is LeafMethod.prepare and kind.knob_for is LeafMethod.knob_for
    return method.knob if same else None


def _network(network: str | dict) -> dict:
    named = _named(network, _NETWORK, "a network")
    return {
        "network": named["name"],
        "data": named.get("data", "FashionMNIST"),
        "variant": named.get("variant", ""),
    }


def _step(table: dict) -> Step:
    table = checked(table, _KEEP, ("name", "value"), "keep")
    method = catalogue.make(table["name"], table.get("arguments", {}))
    knob = _fixed(method)
    if knob is not None:
        knob.check(table["value"])
    return Step(
        table["name"], table["value"], table.get("arguments", {}), table.get("where"), _train(table, table["name"])
    )


def _seed(seed: int) -> int:
    if type(seed) is not int or not 0 <= seed < 2**31:
        raise ValueError(f"seeds has {seed!r}, but a seed is a whole number from 0 to {2**31 - 1}")
    return seed


def _named(entry: str | dict, kinds: dict, what: str) -> dict:
    """Return a table; a text alone is its name."""
    return checked({"name": entry} if isinstance(entry, str) else entry, kinds, ("name",), what)
