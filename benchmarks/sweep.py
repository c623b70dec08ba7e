"""What a point of a sweep costs beside its own work, and what a million points would need.

    python -m benchmarks.sweep [--points 400] [--workers 2] [--rounds 3]

Points that do nothing go through a real sweep: what is left is the scheduler, the way there and back, and the result
on the disk. Beside it the parcel that a worker gets once, reading the results back, and the seconds of work that the
shipped results took. The empty sweep runs twice in turns, as a control. Prints a table and writes
benchmarks/results/sweep.json.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median

from benchmarks.timing import in_turns, machine, record
from labkit.benchmark import results
from labkit.benchmark.parcel import pack
from labkit.benchmark.point import Point
from labkit.benchmark.sweep import sweep

MILLION = 1_000_000
NOTHING = {
    "accuracy": {"validation": [9, 10], "test": [8, 10]},
    "bytes": 100,
    "parts": {"fc1": 50, "fc2": 30, "fc3": 10, "structure": 10},
    "parameters": 10,
    "macs": 10,
    "seconds": {"prepare": 0.1, "at": 0.1},
    "recipe": None,
    "losses": [],
}


def nothing(point: dict) -> dict:
    """Answer at once."""
    return {"result": NOTHING, "versions": {"labkit": "none"}, "machine": {}}


def main() -> None:
    """Time empty sweeps of two lengths; their difference is free of what starting the workers takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    short, long = (empty(count, options.workers) for count in (10, options.points))
    times = {
        name: median(found)
        for name, found in in_turns({"10": short, "10 again": short, "all": long}, options.rounds).items()
    }
    each = (times["all"] - times["10"]) / (options.points - 10)
    control = abs(times["10 again"] - times["10"]) / (options.points - 10)
    points = [entry.point for entry in results.every()]
    worked = [sum(entry.result["seconds"].values()) for entry in results.every()]
    parcel = pack([point for point in points if point.data == "FashionMNIST"])
    begin = time.perf_counter()
    for file in results.RESULTS.glob("*.jsonl"):
        results._entries(file)
    reading = (time.perf_counter() - begin) / len(points)
    size = sum(file.stat().st_size for file in results.RESULTS.glob("*.jsonl")) / len(points)
    found = {
        "seconds for a point beside its work": each,
        "of which the control leaves in doubt": control,
        "seconds to compress or train a point, mean": mean(worked),
        "seconds to compress or train a point, median": median(worked),
        "bytes of a result": size,
        "seconds to read a result": reading,
        "bytes of the parcel for each worker": parcel.bytes,
    }
    million = {
        "core hours of work (and evaluation comes on top)": MILLION * mean(worked) / 3600,
        "hours of the one scheduler and the one writer": MILLION * each / 3600,
        "GB of results": MILLION * size / 1e9,
        "minutes to read them at each start": MILLION * reading / 60,
    }
    for name, value in found.items():
        print(f"{name:<50}{value:>14,.4g}")
    print(f"{MILLION:,} points:")
    for name, value in million.items():
        print(f"  {name:<48}{value:>14,.4g}")
    record("sweep", {"machine": machine(), **vars(options), "found": found, "million": million})


def empty(count: int, workers: int) -> Callable[[], None]:
    """Return a sweep of so many points that do nothing, into a folder that is gone afterwards."""
    points = [Point("LeNet-5", "MNIST", "quantization.KMeans", value) for value in range(count)]

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            sweep("empty", points, workers, folder=Path(folder), work=nothing)

    return work


if __name__ == "__main__":
    main()
