"""Everything that the shipped sweeps found of a network: a spot for each compressed network, with what it costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from labkit import storage, zoo
from labkit.benchmark import catalogue, results, times
from labkit.benchmark.cells import epochs_of
from labkit.benchmark.point import Point, Step
from labkit.benchmark.results import Entry
from labkit.macs import macs
from labkit.methods import Knob

# The survey's themes, by the section folder that holds their methods.
THEMES = {
    "quantization": "Quantization",
    "pruning": "Pruning and sharing",
    "structured": "Structured matrices",
    "lowrank": "Low rank",
    "filters": "Transferred filters",
    "distillation": "Distillation",
    "dynamic": "Dynamic networks",
}
TWO = "Two themes"
COSTS = {
    "bytes": "size of the file",
    "macs": "multiplications",
    "one": "time for 1 picture",
    "many": f"time for {times.BATCHES[1]} pictures",
}


@dataclass(frozen=True)
class Spot:
    """One compressed network: shares of right answers (mean and range over seeds) and what it costs.

    `accuracy` is that of the split that was asked for, `test` that of the test split. `timed` maps a batch size to
    how long it takes, where that was measured. `point` is as of seed 0.
    """

    point: Point
    title: str
    theme: str
    accuracy: float
    low: float
    high: float
    test: float
    seeds: int
    bytes: float
    macs: int
    timed: dict[int, times.Timed] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key of the point as of seed 0, under which it can be run again."""
        return self.point.key

    def cost(self, of: str) -> float | None:
        """Return the cost of a kind in COSTS; None where the time was not measured.

        Raises ValueError for another kind.
        """
        if of not in COSTS:
            raise ValueError(f"cost is {of!r}, but must be one of {', '.join(COSTS)}")
        if of in ("bytes", "macs"):
            return getattr(self, of)
        timed = self.timed.get(times.BATCHES[0] if of == "one" else times.BATCHES[1])
        return timed and timed.seconds


@dataclass(frozen=True)
class Map:
    """A network as it is, and every spot that was found of it on one data set."""

    network: str
    data: str
    variant: str
    split: str
    original: Spot
    spots: tuple[Spot, ...]

    def spot(self, key: str) -> Spot:
        """Return a spot by its key; raise ValueError where there is none."""
        for spot in self.spots:
            if spot.key == key:
                return spot
        raise ValueError(f"there is no point {key!r} of {self.network} on {self.data}: take the key of one that is")


def networks() -> list[tuple[str, str, str]]:
    """List the trained networks of which the sweeps have results: (name, data set, variant).

    >>> ("LeNet-5", "FashionMNIST", "") in networks()
    True
    """
    found = {(point.network, point.data, point.variant) for point in (entry.point for entry in results.every())}
    return [one for one in zoo.available() if one in found]


def survey(network: str = "LeNet-5", data: str = "FashionMNIST", variant: str = "", split: str = "validation") -> Map:
    """Return all that the sweeps found of a whole network, averaged over seeds.

    Choose on the validation split; the test split is for what is reported. Raises ValueError for a network without
    results, and for a split that does not exist.

    >>> found = survey("LeNet-300-100")
    >>> len(found.spots) > 100, {"Quantization", "Low rank", "Two themes"} <= {spot.theme for spot in found.spots}
    (True, True)
    """
    if split not in results.SPLITS:
        raise ValueError(f"split is {split!r}, but must be one of {', '.join(results.SPLITS)}")
    if (network, data, variant) not in networks():
        known = "; ".join(" ".join(filter(None, one)) for one in networks())
        wanted = " ".join(filter(None, (network, variant, "on", data)))
        raise ValueError(f"there are no results of {wanted}: choose one of {known}")
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in results.every():
        point = entry.point
        if (point.network, point.data, point.variant) == (network, data, variant):
            groups[replace(point, seed=0).key].append(entry)
    timed = times.read()
    spots = [_spot(group, split, timed) for group in groups.values() if group[0].point.where is None]
    return Map(network, data, variant, split, _original(network, data, variant, split, timed), tuple(spots))


def theme(point: Point) -> str:
    """Return the theme of a point's method; TWO where an earlier step belongs to another one."""
    folders = {step.method.partition(".")[0] for step in (*point.keep, point)}
    folders |= {"quantization", "pruning"} if point.method == "pruning.DeepCompression" else set()
    folder = folders.pop()
    return TWO if folders else THEMES.get(folder, folder)


def title(point: Point) -> str:
    """Say in words what was done, one step after another.

    >>> title(Point("LeNet-5", "MNIST", "quantization.KMeans", 4, train={"epochs": 2}))
    'k-means codebook, 4 bits, 2 epochs'
    """
    return ", then ".join(_step(step) for step in (*point.keep, point))


def methods(point: Point) -> str:
    """Name the methods of a point: the last one alone, unless the point joins two themes.

    >>> methods(Point("LeNet-5", "MNIST", "quantization.KMeans", 4, keep=(Step("lowrank.SVD", 16),)))
    'Truncated SVD + k-means codebook'
    """
    named = list(dict.fromkeys(_titles(point)))
    return " + ".join(named) if theme(point) == TWO else named[-1]


def _titles(point: Point) -> Iterator[str]:
    for step in (*point.keep, point):
        try:
            yield catalogue.make(step.method, step.arguments).title
        except ValueError:  # a results file outlived the method
            yield step.method


def _step(step: Point | Step) -> str:
    try:
        method = catalogue.make(step.method, step.arguments)
    except ValueError:  # a results file outlived the method
        return f"{step.method} {step.value:g}"
    epochs = epochs_of(step)
    trained = f", {epochs} epoch{'s' if epochs > 1 else ''}" if epochs else ""
    fresh = " from scratch" if getattr(step, "start", "checkpoint") == "scratch" else ""
    return f"{method.title}, {setting(method.knob, step.value)}{trained}{fresh}"


def setting(knob: Knob, value: float) -> str:
    """Say a value of a knob in words: "4 bits", "rank 16"."""
    shown = knob.show(value)
    return f"{shown} {knob.name}" if knob.name in ("bits", "layers") else f"{knob.name} {shown}"


def _spot(group: Sequence[Entry], split: str, timed: dict) -> Spot:
    point = replace(group[0].point, seed=0)
    found = results.mark(point.value, [entry.result for entry in group], split)
    test = results.mark(point.value, [entry.result for entry in group], "test").accuracy
    return Spot(
        point,
        title(point),
        theme(point),
        found.accuracy,
        found.low,
        found.high,
        test,
        found.seeds,
        found.bytes,
        group[0].result["macs"],
        timed.get(point.key, {}),
    )


def _original(network: str, data: str, variant: str, split: str, timed: dict) -> Spot:
    """Return the spot of the network as it is; its accuracies stand on its card."""
    point, card = times.untouched(network, data, variant), zoo.card(network, data, variant)
    model = zoo.load(network, data, variant)
    share, test = (card["accuracy"][name] for name in (split, "test"))
    size, count = storage.size(model).total, macs(model, tuple(card["image_shape"]))
    return Spot(point, "as it was trained", "", share, share, share, test, 1, size, count, timed.get(point.key, {}))
