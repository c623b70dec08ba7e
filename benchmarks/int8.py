"""What int8 saves where integers are multiplied: PyTorch and ONNX Runtime, float32 and int8, in turns.

    python -m benchmarks.int8                  all networks, into benchmarks/results/int8.json
    python -m benchmarks.int8 LeNet-5 VGG      some of them

Bytes, accuracy on the validation split, the time of 1 and of 256 pictures, and how many times faster than
either runtime's float32, beside each baseline against itself. The simulation has 8 bits for each weight.
"""

from __future__ import annotations

import argparse
import os
import time

import onnxruntime

from benchmarks.timing import machine, record
from labkit import data as datasets
from labkit import zoo
from labkit.latency import Ratio
from labkit.quantization import Uniform
from labkit.runtime import Comparison, compare
from labkit.runtime.saturation import saturates


def spread(found: Ratio) -> dict:
    """Return a ratio as plain numbers."""
    return {
        "times_faster": round(found.value, 3),
        "low": round(found.low, 3),
        "high": round(found.high, 3),
        "control": round(found.control, 3),
        "control_low": round(found.control_low, 3),
        "control_high": round(found.control_high, 3),
        "rounds": found.rounds,
        "real": found.real,
    }


def plain(found: Comparison) -> list[dict]:
    """Return the rows of a comparison as plain numbers."""
    return [
        {
            "name": row.name,
            "bytes": row.bytes,
            "right": row.accuracy.right,
            "images": row.accuracy.images,
            "ms": {
                batch: {
                    "median": round(1e3 * one.median, 4),
                    "q1": round(1e3 * one.q1, 4),
                    "q3": round(1e3 * one.q3, 4),
                    "threads": one.threads,
                }
                for batch, one in row.latency.items()
            },
            "against_pytorch": {batch: spread(one) for batch, one in row.against_pytorch.items()},
            "against_onnx_runtime": {batch: spread(one) for batch, one in row.against_onnx.items()},
        }
        for row in found.rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    trained = [name for name, on, variant in zoo.available() if (on, variant) == ("FashionMNIST", "")]
    parser.add_argument("networks", nargs="*", default=trained)
    parser.add_argument("--data", default="FashionMNIST", choices=datasets.SHIPPED)
    options = parser.parse_args()
    about = machine() | {"onnxruntime": onnxruntime.__version__, "integers_saturate": saturates()}
    data, results = datasets.load(options.data), {}
    for name in options.networks:
        model, begin = zoo.load(name, options.data), time.perf_counter()
        found = compare(model, data, simulated=Uniform().prepare(model, data).at(8))
        seconds = time.perf_counter() - begin
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        print(f"{name}, {seconds:.1f} s\n\n{found}\n", flush=True)
        results[name] = {"seconds": round(seconds, 1), "load_after": load, "rows": plain(found)}
    record("int8", {"machine": about, "data": options.data, "networks": results})


if __name__ == "__main__":
    main()
