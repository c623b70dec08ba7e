"""What it costs to begin: `import labkit` on top of `import torch`, in fresh processes.

python -m benchmarks.start [--rounds 7]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

from benchmarks.timing import machine, record

CODE = """
import time
begin = time.perf_counter()
import torch
middle = time.perf_counter()
import labkit
print(middle - begin, time.perf_counter() - middle)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rows = []
    for _ in range(options.rounds + 1):
        done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
        rows.append([float(word) for word in done.stdout.split()])
    torch_s, labkit_s = (statistics.median(column) for column in zip(*rows[1:], strict=True))
    print(f"import torch {torch_s:.2f} s, import labkit {labkit_s:.3f} s more (target 0.2)")
    record("start", {"machine": machine(), "torch_s": torch_s, "labkit_s": labkit_s, "target_s": 0.2})


if __name__ == "__main__":
    main()
