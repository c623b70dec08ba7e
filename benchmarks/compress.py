"""What one position of the slider costs before anything is evaluated: compressing, and the size of the file.

    python -m benchmarks.compress [--rounds 15]

For each network and method: the time to prepare once, then of `at` and of `size`, the median over all
values of the knob. Last, one codebook of 16 values for 235,200 weights by our Lloyd's iteration and by
scikit-learn's general one, in turns, with the squared error of both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.cluster import KMeans as Clusterer

from benchmarks.timing import in_turns, machine, record
from labkit import size, zoo
from labkit.clusters import companding_start, lloyd, prefix_sums
from labkit.lowrank import SVD
from labkit.methods import Method
from labkit.pruning import Magnitude
from labkit.quantization import KMeans


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def tick(name: str, method: Method) -> dict:
    """Time preparing and every value of the knob."""
    model = zoo.load(name)
    method.prepare(model)
    preparing = seconds(lambda: method.prepare(model))
    curve = method.prepare(model)
    small = [curve.at(value) for value in curve.knob.values]
    return {
        "network": name,
        "method": method.title,
        "prepare_ms": 1e3 * preparing,
        "at_ms": 1e3 * float(np.median([seconds(lambda v=value: curve.at(v)) for value in curve.knob.values])),
        "size_ms": 1e3 * float(np.median([seconds(lambda m=compressed: size(m)) for compressed in small])),
    }


def codebook(rounds: int) -> dict:
    """Compare our k-means with a general one on the first matrix of LeNet-300-100."""
    weights = zoo.load("LeNet-300-100").fc1.weight().detach().numpy().flatten()
    ordered = np.sort(weights)
    sums = prefix_sums(ordered)
    general = Clusterer(16, n_init=1, random_state=0)
    works = {
        "ours": lambda: lloyd(ordered, companding_start(ordered, 16), sums),
        "scikit-learn": lambda: general.fit(weights[:, None]),
    }
    times = in_turns(works, rounds)
    centroids, _ = works["ours"]()
    nearest = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, ordered)
    ours = float(((ordered - centroids[nearest]) ** 2).sum())
    return {
        "weights": len(weights),
        "ours_ms": 1e3 * float(np.median(times["ours"])),
        "general_ms": 1e3 * float(np.median(times["scikit-learn"])),
        "ratio": float(np.median(np.divide(times["scikit-learn"], times["ours"]))),
        "error_ratio": ours / float(general.inertia_),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    found = {"machine": machine()}
    found["ticks"] = [
        tick(name, method)
        for name, on, variant in zoo.available()
        if (on, variant) == ("FashionMNIST", "")
        for method in (SVD(), Magnitude(), KMeans())
    ]
    found["codebook"] = codebook(options.rounds)
    for row in found["ticks"]:
        print(
            "{network:14} {method:18} prepare {prepare_ms:7.1f}   at {at_ms:6.2f}   size {size_ms:6.2f} ms".format(
                **row
            )
        )
    line = "k-means of {weights:,} weights: {ours_ms:.1f} ms, scikit-learn {general_ms:.0f} ms (x {ratio:.0f}), "
    print((line + "squared error {error_ratio:.3f} of its").format(**found["codebook"]))
    record("compress", found)


if __name__ == "__main__":
    main()
