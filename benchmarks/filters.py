"""Which shared and compact filters are really faster: times as deployed, beside the plain network's.

    python -m benchmarks.filters [--network VGG] [--rounds 15]

Each network of the section takes turns with the plain one and with that again, the control, at batch 1 and 256. Prints
how many times faster it is, beside how many times fewer multiplications it takes, and writes
benchmarks/results/filters.json. A ratio that is not real, by the control, is in brackets.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from benchmarks.timing import machine, record
from labkit import zoo
from labkit.filters import METHODS
from labkit.latency import ratio
from labkit.macs import macs

BATCHES = (1, 256)
SHAPE = (1, 28, 28)


def main() -> None:
    """Time every method at the strongest value of its knob."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="VGG")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    model, rows = zoo.load(options.network), []
    heads = "".join(f"    batch {batch:<3}" for batch in BATCHES)
    print(f"{options.network:<34}{'value':>8}{'fewer MACs':>12}{heads}")
    for method in METHODS:
        curve = method().prepare(model)
        for value in curve.knob.values:
            small = curve.at(value)
            fewer = macs(model, SHAPE) / macs(small, SHAPE)
            if fewer == 1 and value == curve.knob.values[0]:
                continue  # the plain network itself
            found = [ratio(model, small, SHAPE, batch, rounds=options.rounds) for batch in BATCHES]
            shown = "".join(f"{f'{one.value:.2f}' if one.real else f'({one.value:.2f})':>12}" for one in found)
            print(f"{method.title:<34}{curve.knob.show(value):>8}{fewer:>12.2f}{shown}")
            times = [
                asdict(one) | {"batch": batch, "real": one.real} for one, batch in zip(found, BATCHES, strict=True)
            ]
            rows.append({"method": method.title, "value": value, "fewer_macs": fewer, "times": times})
    record("filters", {"machine": machine(), "network": options.network, "rows": rows})


if __name__ == "__main__":
    main()
