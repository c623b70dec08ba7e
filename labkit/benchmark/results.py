"""The results of sweeps: data/results/NAME.jsonl, one finished point a line, whether it worked or failed."""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.benchmark import catalogue, entries, lines
from labkit.benchmark.entries import SPLITS, Entry
from labkit.benchmark.point import Point, Step
from labkit.data import ROOT
from labkit.measure import Accuracy

RESULTS = ROOT / "results"
FULL_BYTES = lines.MOST_BYTES // 2  # then a further file is begun


@dataclass(frozen=True)
class Mark:
    """One value of the knob: bytes of the file and accuracy (a share), means over the seeds, and its range."""

    value: float
    bytes: float
    accuracy: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class Series:
    """The marks of one method with one setting on one network, in the order of the knob."""

    method: str
    title: str
    arguments: dict
    where: str | None
    keep: tuple[Step, ...]
    start: str
    train: dict | None
    loss: str
    split: str
    marks: tuple[Mark, ...]

    @property
    def trained(self) -> bool:
        """Whether the network was trained after it was compressed."""
        return self.train is not None


def path(name: str, folder: Path = RESULTS) -> Path:
    """Return where the results of a sweep lie; those of a large one go on in further files, see `files`."""
    return Path(folder) / f"{name}.jsonl"


def files(name: str, folder: Path = RESULTS) -> list[Path]:
    """List the files of a sweep's results in the order in which they were written: NAME.jsonl, NAME.2.jsonl, …

    A file is no larger than it can be read at once, and there are as many as a sweep needs.
    """
    found = [path(name, folder)]
    while (following := Path(folder) / f"{name}.{len(found) + 1}.jsonl").exists():
        found.append(following)
    return found


def read(name: str, folder: Path = RESULTS) -> list[Entry]:
    """Return the finished points of a sweep, the latest of each, in the order in which they came.

    Raises ValueError with the number of the line that is damaged.
    """
    found = {entry.point.key: entry for file in files(name, folder) for entry in _entries(file)}
    return list(found.values())


def finished(name: str, folder: Path = RESULTS, retry: bool = False) -> set[str]:
    """Return the keys of the points that need not run again; with `retry`, those that failed are not among them."""
    return {entry.point.key for entry in read(name, folder) if entry.error is None or not retry}


def append(name: str, entry: Entry, folder: Path = RESULTS) -> None:
    """Add a finished point; it is on the disk when this returns."""
    record = {name: value for name, value in vars(entry).items() if value is not None and name != "point"}
    known = files(name, folder)
    full = known[-1].exists() and known[-1].stat().st_size >= FULL_BYTES
    file = Path(folder) / f"{name}.{len(known) + 1}.jsonl" if full else known[-1]
    lines.append(file, {"key": entry.point.key, "point": entry.point.record()} | record)


def curves(
    network: str, data: str, variant: str = "", split: str = "validation", folder: Path = RESULTS
) -> list[Series]:
    """Return what all sweeps found for a network: one series for each method with one setting.

    Failed points are left out, and each point counts once. Cheap as long as no file changes.
    Raises ValueError for a split that does not exist, and where a file is damaged.

    >>> {series.title for series in curves("LeNet-5", "FashionMNIST")} >= {"k-means codebook"}
    True
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}, but must be one of {', '.join(SPLITS)}")
    return list(_curves(_files(folder), network, data, variant, split))


def every(folder: Path = RESULTS) -> list[Entry]:
    """Return the finished points of all sweeps that worked, each once."""
    return list(_every(_files(folder)))


def _files(folder: Path) -> tuple:
    """List the files with what tells whether one has changed."""
    stats = [(file, file.stat()) for file in sorted(Path(folder).glob("*.jsonl"))]
    return tuple((file, stat.st_mtime_ns, stat.st_size) for file, stat in stats)


@functools.lru_cache(maxsize=2)
def _every(files: tuple) -> tuple[Entry, ...]:
    return tuple({entry.point.key: entry for file in files for entry in _parsed(*file) if entry.result}.values())


@functools.lru_cache(maxsize=64)
def _curves(files: tuple, network: str, data: str, variant: str, split: str) -> tuple[Series, ...]:
    settings: dict[str, list[Entry]] = defaultdict(list)
    for entry in _every(files):
        point = entry.point
        if (point.network, point.data, point.variant) == (network, data, variant):
            settings[replace(point, value=0, seed=0).key].append(entry)
    return tuple(_series(group, split) for group in settings.values())


@functools.lru_cache(maxsize=64)
def _parsed(file: Path, mtime_ns: int, size: int) -> tuple[Entry, ...]:
    return _entries(file)


def _series(group: list[Entry], split: str) -> Series:
    """Put the entries that differ only in value and seed into one series."""
    point = group[0].point
    by_value: dict[float, list[dict]] = defaultdict(list)
    for entry in group:
        by_value[entry.point.value].append(entry.result)
    return Series(
        point.method,
        title(point),
        point.arguments,
        point.where,
        point.keep,
        point.start,
        point.train,
        point.loss,
        split,
        tuple(mark(value, by_value[value], split) for value in sorted(by_value)),
    )


def mark(value: float, found: list[dict], split: str) -> Mark:
    """Average the results of several seeds at one value of the knob."""
    shares = [Accuracy(*result["accuracy"][split]).value for result in found]
    mean_bytes = sum(result["bytes"] for result in found) / len(found)
    return Mark(value, mean_bytes, sum(shares) / len(shares), min(shares), max(shares), len(found))


def title(point: Point) -> str:
    """Return the title on the card of a point's method; its name, where a results file outlived the method."""
    try:
        return catalogue.make(point.method, point.arguments).title
    except ValueError:
        return point.method


def _entries(file: Path) -> tuple[Entry, ...]:
    found: dict[str, Entry] = {}
    for number, record in lines.read(file):
        try:
            entry = entries.of(record)
        except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
            raise lines.damaged(file, number, error) from error
        found.pop(entry.point.key, None)  # so that the latest comes last
        found[entry.point.key] = entry
    return tuple(found.values())
