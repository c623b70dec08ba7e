"""The files that a sweep needs, sent once to each worker: for machines that share no disk with this one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from distributed import WorkerPlugin

from labkit import data as datasets
from labkit import zoo
from labkit.benchmark.point import Point
from labkit.files import write

MADE_FROM = dict.fromkeys(datasets.MADE, "MNIST")


@dataclass
class Parcel(WorkerPlugin):
    """Paths below the data folder with their contents, and a SHA-256 for each.

    The scheduler hands it to each worker as it joins. The worker writes what its own data folder lacks, whole or not
    at all, and nowhere else; another file of the same name is put aside. `labkit.data` and `labkit.zoo` check every
    file again when they read it.
    """

    files: dict[str, tuple[str, bytes]]
    name = "labkit-parcel"

    @property
    def bytes(self) -> int:
        """How much travels to each worker."""
        return sum(len(content) for _, content in self.files.values())

    def setup(self, worker) -> None:
        """Unpack on a worker; called once as the worker joins, or as the parcel comes."""
        worker.labkit_parcels = getattr(worker, "labkit_parcels", 0) + 1
        self.unpack(datasets.ROOT)

    def unpack(self, root: Path) -> int:
        """Write what is not there yet, and return how many files that were; raise ValueError for a bad one."""
        written = 0
        for name, (digest, content) in self.files.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or hashlib.sha256(content).hexdigest() != digest:
                raise ValueError(f"{name} in the parcel is damaged, or no path in the data folder: send it again")
            written += _put(Path(root) / path, digest, content)
        return written


def _put(target: Path, digest: str, content: bytes) -> bool:
    """Write a file unless it is there; another one of that name, trained here perhaps, is put aside and not lost."""
    there = hashlib.sha256(target.read_bytes()).hexdigest() if target.exists() else ""
    if there == digest:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if there:
        target.replace(target.with_name(f"{target.name}.{there[:8]}.before"))
    write(target, content)
    return True


def pack(points: Iterable[Point], root: Path = datasets.ROOT) -> Parcel:
    """Pack the checkpoints, their cards and the data sets of some points.

    >>> parcel = pack([Point("LeNet-5", "MNIST", "quantization.KMeans", 4)])
    >>> len(parcel.files), 10e6 < parcel.bytes < 15e6
    (6, True)
    """
    found = {}
    for path in sorted({path for point in points for path in _paths(point, Path(root)) if path.exists()}):
        content = path.read_bytes()
        found[path.relative_to(root).as_posix()] = hashlib.sha256(content).hexdigest(), content
    return Parcel(found)


def _paths(point: Point, root: Path) -> Iterator[Path]:
    """Yield what one point needs: its network, a teacher where there is one, and its data set."""
    teachers = [step.arguments.get("teacher") for step in (*point.keep, point)]
    for name, variant in ((point.network, point.variant), *((teacher, "") for teacher in teachers if teacher)):
        path = zoo.checkpoint(name, point.data, variant, root / "checkpoints")
        yield from (path, path.with_suffix(".json"))
    raw = root / MADE_FROM.get(point.data, point.data) / "raw"
    yield from (raw / f"{file}.gz" for file in datasets.IDX)
