"""Run the open points of a sweep on dask.distributed, on this machine or on any number of them."""

from __future__ import annotations

import datetime
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from labkit.benchmark import lines, results, surroundings
from labkit.benchmark.cluster import connect
from labkit.benchmark.point import Point
from labkit.benchmark.results import Entry
from labkit.benchmark.run import run
from labkit.hardware import cpu_limit
from labkit.threads import threads

MOST_LETTERS = 400  # of the sentence of an error
ALONE = threading.Lock()  # a worker with several threads has one random generator and one thread count for all


@dataclass(frozen=True)
class Summary:
    """How a sweep ended: its points, how many of them failed, and the file with the results."""

    name: str
    points: int
    failed: int
    path: Path

    def __str__(self) -> str:
        return f"{self.name}: {self.points} points, {self.failed} failed, in {self.path}"


def attempt(record: dict) -> dict:
    """Do one point on one thread; return its result or its error, with versions and machine.

    >>> attempt({"network": "LeNet-5", "data": "MNIST", "method": "quantization.KMeans", "value": 40})["error"]["type"]
    'ValueError'
    """
    with ALONE, threads(1):
        try:
            found = {"result": run(Point.of(record))}
        except Exception as error:  # whatever a method raises, the other points go on
            found = {"error": _described(error)}
        return found | _surroundings()


def _described(error: BaseException) -> dict:
    first, *_ = str(error).strip().splitlines() or ["it gave no message"]
    return {"type": type(error).__name__, "sentence": first[:MOST_LETTERS]}


def _surroundings() -> dict:
    return {"versions": surroundings.versions(), "machine": surroundings.machine()}


def sweep(
    name: str,
    points: list[Point],
    workers: int | None = None,
    scheduler: str | None = None,
    retry: bool = False,
    folder: Path = results.RESULTS,
    work: Callable[[dict], dict] = attempt,
) -> Summary:
    """Run the points that are not finished yet, and write each into the results as soon as it is.

    Without a `scheduler` ("tcp://…") the points run on this machine, in `workers` processes of one
    thread each (as many as it has processors). With one, each worker gets the networks and data sets once, as it
    joins. A point that fails, or whose worker dies again and
    again, is written as failed; only `retry` runs it again. `work` does one point's record
    (`attempt`). Raises ValueError for a wrong number of workers and ConnectionError where no
    scheduler or worker answers.
    """
    from labkit.benchmark.parcel import pack  # Dask is loaded when something is to run

    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}, but a sweep needs at least 1")
    wanted = {point.key: point for point in points}
    with lines.alone(results.path(name, folder)):
        done = results.finished(name, folder, retry)
        todo = [point for key, point in wanted.items() if key not in done]
        if todo:
            failed = 0 if retry else len(_failed(name, folder) & wanted.keys())
            with connect(min(workers or cpu_limit(), len(todo)), scheduler) as client:
                if scheduler is not None:  # a cluster of this machine's own has the same disk
                    client.register_plugin(pack(todo))
                for entry in _shown(_outcomes(client, todo, work), len(wanted), len(todo), failed):
                    results.append(name, entry, folder)
        failed = len(_failed(name, folder) & wanted.keys())
    return Summary(name, len(wanted), failed, results.path(name, folder))


def _failed(name: str, folder: Path) -> set[str]:
    return {entry.point.key for entry in results.read(name, folder) if entry.error is not None}


def _shown(entries: Iterator[Entry], points: int, todo: int, failed: int) -> Iterator[Entry]:
    """Pass the entries on behind a bar: done, of, failed, time left."""
    with tqdm(total=points, initial=points - todo, unit="point", dynamic_ncols=True) as bar:
        bar.set_postfix(failed=failed)
        for entry in entries:
            yield entry
            failed += entry.error is not None
            bar.set_postfix(failed=failed, refresh=False)
            bar.update()


def _outcomes(client, points: list[Point], work: Callable[[dict], dict]) -> Iterator[Entry]:
    """Hand all points to the workers and yield them as they finish, in any order."""
    from distributed import as_completed

    left, asked = iter(points), {}
    answers = as_completed(loop=client.loop)

    def ask() -> None:
        """Keep each thread of the cluster busy with one point: one more would share the blame for a dead worker."""
        threads = sum(client.nthreads().values())
        for point in itertools.islice(left, max(0, max(1, threads) - len(asked))):
            future = client.submit(work, point.record(), pure=False)
            asked[future] = point
            answers.add(future)

    ask()
    for future in answers:
        point = asked.pop(future)
        if future.status == "finished":
            found = future.result()
        elif future.status == "error":
            found = {"error": _worker_error(future.exception())} | _surroundings()
        else:
            raise ConnectionError("the scheduler is gone: the same command goes on when it is back")
        ask()
        yield Entry(point, when=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), **found)


def _worker_error(error: BaseException) -> dict:
    """Say what happened to a point that brought no answer home."""
    from distributed import KilledWorker

    if not isinstance(error, KilledWorker):
        return _described(error)
    sentence = "the worker died whenever it ran this point: too little memory is the usual reason"
    return {"type": "KilledWorker", "sentence": sentence}
