"""How long structured matrices take against n, beside the dense one.

    python -m benchmarks.structured [--budget 60] [--rounds 9]

Every structure takes turns with the dense matrix and with that again, the control, in one thread and as it would be
deployed. Prints how many times faster each is, by n and batch, with the crossing points, and writes
benchmarks/results/structured.json. A ratio that is not real, by the control, is in brackets.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from benchmarks.timing import machine, record
from labkit.structured.speed import BATCHES, STRUCTURES, Timed, against_n, crossing


def line(found: list[Timed], structure: str, batch: int) -> str:
    """Write a structure's ratios from the smallest n on, and where it crosses."""
    parts = []
    for one in found:
        if one.structure == structure and one.batch == batch:
            shown = f"{one.ratio.value:.2f}"
            parts.append(f"{shown if one.ratio.real else f'({shown})':>8}")
    least = crossing(found, structure, batch)
    return f"{structure:<26}{''.join(parts)}   {f'from n = {least:,}' if least else 'nowhere'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--budget", type=float, default=60.0, help="seconds in all; larger n are left out")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    found = list(against_n(budget_s=arguments.budget, rounds=arguments.rounds))
    sizes = sorted({one.n for one in found})
    for batch in BATCHES:
        print(f"\nbatch {batch}: times faster than dense\n{'n':<26}{''.join(f'{n:>8,}' for n in sizes)}   pays")
        for structure in STRUCTURES:
            print(line(found, structure, batch))
    rows = [asdict(one) | {"real": one.ratio.real} for one in found]
    record("structured", {"machine": machine(), "rows": rows})


if __name__ == "__main__":
    main()
