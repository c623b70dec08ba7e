"""Which promised speed-ups are real on this machine: compressed networks in four runtimes.

    python -m benchmarks.deployment [--network VGG] [--rounds 15]

The network as it is, its spatial scheme, half of its filters and 90 % zeros, in PyTorch, torch.compile and ONNX Runtime
with float32 and int8, at batch 1 and 256 on one thread. Each runtime is compared with its own dense network, which runs
twice, as a control. Prints the table of the notebook and writes benchmarks/results/deployment.json.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from benchmarks.timing import machine, record
from labkit import data, zoo
from labkit.lowrank import Spatial
from labkit.pruning import FilterPruning, Magnitude
from labkit.runtime.deployment import deployment, promises

STEPS = ((Spatial(), 16), (FilterPruning(), 0.5), (Magnitude(), 0.9))


def main() -> None:
    """Run every network in every runtime."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="VGG")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    pictures, dense = data.load(), zoo.load(options.network)
    networks = {"dense": dense}
    for method, value in STEPS:
        networks[f"{method.title}, {method.knob.show(value)}"] = method.prepare(dense, pictures).at(value)
    runs = list(deployment(networks, pictures, rounds=options.rounds))
    print(promises(networks, pictures, runs))
    record("deployment", {"machine": machine(), **vars(options), "runs": [asdict(run) for run in runs]})


if __name__ == "__main__":
    main()
