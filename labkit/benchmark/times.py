"""How long the networks of the sweeps take on the machine that shipped the results: data/times.jsonl.

Time depends on a network's shapes and not on its numbers, so each shape is timed once: in turns with the network
that it comes from, which also runs against itself, the control (see `labkit.latency`).
"""

from __future__ import annotations

import argparse
import datetime
import functools
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn
from tqdm import tqdm

from labkit import data as datasets
from labkit import zoo
from labkit.benchmark import catalogue, lines, results, surroundings
from labkit.benchmark.point import Point, Step
from labkit.benchmark.run import started
from labkit.benchmark.shaped import shaped
from labkit.deploy import deployed
from labkit.latency import Ratio, in_turns, ratio_of, running
from labkit.threads import threads

FILE = datasets.ROOT / "times.jsonl"
BATCHES = (1, 256)
TOGETHER = 8  # networks that are timed in turns, beside the dense one twice
ROUNDS, BUDGET_S = 11, 8.0
# All other methods of quantization and pruning run as the dense network does: values are shared or zero, shapes stay.
RESHAPING = (
    "quantization.Activations",
    "pruning.FilterPruning",
    "pruning.StructuredSparsity",
    "pruning.LowRankFixed",
    "pruning.Narrower",
)
LEARNT = ("pruning.StructuredSparsity",)  # training says which filters go


@dataclass(frozen=True)
class Timed:
    """The median time of one batch, in seconds, and how many times faster that is than the dense network.

    Where the network has the dense one's shapes, the ratio is that of the control.
    """

    seconds: float
    faster: Ratio
    dense: bool


@functools.lru_cache(maxsize=2)
def _read(file: Path, mtime_ns: int) -> dict[str, dict[int, Timed]]:
    found = {}
    for number, record in lines.read(file):
        try:
            found[record["key"]] = {
                int(batch): Timed(one["seconds"], Ratio(**one["faster"]), one["dense"])
                for batch, one in record["batches"].items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise lines.damaged(file, number, error) from error
    return found


def read(file: Path = FILE) -> dict[str, dict[int, Timed]]:
    """Map the keys of points, as of seed 0, to their times by the size of the batch.

    Raises ValueError with the number of the line that is damaged.
    """
    return _read(file, file.stat().st_mtime_ns) if file.exists() else {}


def untouched(network: str, data: str, variant: str = "") -> Point:
    """Return the point that stands for a network that nothing was done to."""
    return Point(network, data, "", 0, variant=variant)


def network_of(point: Point) -> nn.Module | None:
    """Return a network of the point's shapes, not trained; None where training decides the shapes."""
    data = datasets.load(point.data)
    model = started(point, data)
    for step in (*point.keep, point):
        if step.method in LEARNT and step.train is not None:
            return None
        model = _compressed(model, step, data)
    return model.eval()


def _compressed(model: nn.Module, step: Point | Step, data: datasets.Data) -> nn.Module:
    """Compress without training, and as little as the shapes need: a search for the right numbers may take minutes."""
    section = step.method.partition(".")[0]
    if section in ("quantization", "pruning") and step.method not in RESHAPING:
        return model
    quick = shaped(model, step.method, int(step.value)) if step.where is None else None
    if quick is not None:
        return quick
    curve = catalogue.make(step.method, step.arguments).prepare(model, data, step.where)
    return curve.latent(step.value) if step.train is not None else curve.at(step.value)


def shape(model: nn.Module) -> tuple:
    """Return what decides how long a deployed network takes: its modules and the shapes of what they hold."""
    return tuple((str(module), tuple(_held(module))) for module in model.modules() if not list(module.children()))


def _held(module: nn.Module) -> Iterator[tuple]:
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        yield name, tuple(tensor.shape), str(tensor.dtype)


def measure(dense: nn.Module, networks: list[nn.Module], image_shape: tuple[int, int, int]) -> list[dict[int, Timed]]:
    """Time deployed networks in turns with the dense one, on one thread; the first answer is the dense one's own."""
    found: list[dict[int, Timed]] = [{} for _ in range(len(networks) + 1)]
    for batch in BATCHES:
        works = [running(net, image_shape, batch, "cpu") for net in (dense, *networks)]
        with threads(1):
            taken = in_turns([*works, works[0]], ROUNDS, budget_s=BUDGET_S)
        base, again = taken[:, 0], taken[:, -1]
        for index, timed in enumerate(found):
            other = taken[:, index] if index else again
            timed[batch] = Timed(float(np.median(other)), ratio_of(base, again, other), index == 0)
    return found


def main(arguments: list[str]) -> int:
    """Time every shape that the results have and that was not timed yet."""
    argparse.ArgumentParser(prog="labkit time", description=main.__doc__).parse_args(arguments)
    try:
        groups = _open()
        with lines.alone(FILE), tqdm(unit="point", dynamic_ncols=True) as bar:
            bar.total = sum(map(len, groups.values()))
            for source, points in groups.items():
                for record in _timed(*source, points):
                    lines.append(FILE, record)
                    bar.update(record["key"] != untouched(*source).key)
    except (ValueError, OSError) as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 1
    return 0


def _open() -> dict[tuple[str, str, str], list[Point]]:
    """Group the points of the results that have no times yet by their network, each as of seed 0."""
    done, found = read(), defaultdict(dict)
    for entry in results.every():
        point = replace(entry.point, seed=0)
        source = (point.network, point.data, point.variant)
        if point.key not in done and source in zoo.available():
            found[source][point.key] = point
    return {source: list(points.values()) for source, points in found.items()}


def _timed(network: str, data: str, variant: str, points: list[Point]) -> Iterator[dict]:
    """Yield a record for each point of one network, and one for the network as it is."""
    dense = deployed(zoo.load(network, data, variant))
    image_shape = datasets.load(data).image_shape
    known = read().get(untouched(network, data, variant).key)  # all that has the dense shapes has one time
    waiting: dict[tuple, list[Point]] = {shape(dense): [] if known else [untouched(network, data, variant)]}
    nets: dict[tuple, nn.Module] = {}
    for point in points:
        try:
            model = network_of(point)
        except ValueError:  # a results file outlived a method or a value
            model = None
        if model is None:
            yield _record(point, {})
            continue
        small = deployed(model)
        mark = shape(small)
        waiting.setdefault(mark, []).append(point)
        nets.setdefault(mark, small)
    nets.pop(shape(dense), None)
    marks = list(nets)
    for begin in range(0, max(1, len(marks)), TOGETHER):
        part = marks[begin : begin + TOGETHER]
        first, *others = measure(dense, [nets[mark] for mark in part], image_shape)
        timed = dict(zip(part, others, strict=True)) | ({shape(dense): known or first} if begin == 0 else {})
        for mark, found in timed.items():
            for point in waiting[mark]:
                yield _record(point, found)


def _record(point: Point, found: dict[int, Timed]) -> dict:
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    batches = {str(batch): asdict(timed) for batch, timed in found.items()}
    return {"key": point.key, "batches": batches, "machine": surroundings.machine(), "when": when}
