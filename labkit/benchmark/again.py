"""The command `labkit again KEY`: run a point of the shipped results again, and set it beside what was shipped."""

from __future__ import annotations

import argparse
import sys

from labkit.benchmark import results
from labkit.benchmark.results import Entry
from labkit.benchmark.run import run
from labkit.benchmark.spots import title
from labkit.measure import Accuracy
from labkit.table import Cell, Table
from labkit.threads import threads


def find(key: str) -> Entry:
    """Return the shipped result of a point; raise ValueError where there is none, or more than one begins so.

    >>> find("96e2f7d5").point.method
    'quantization.KMeans'
    """
    found = [entry for entry in results.every() if key and entry.point.key.startswith(key)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} points have a key that begins with {key!r}: take one from a table of results")
    return found[0]


def again(key: str) -> Table:
    """Run a point once more, as its sweep did, on one thread; show both results side by side.

    What is not trained comes out the same anywhere, but for a picture or two on another processor; training amplifies
    such differences. Raises ValueError for a key that is not there, and what the method raises.

    >>> again("96e2f7d56e24119d").rows[0][1:]
    [('35,127', ''), ('35,127', '')]
    """
    shipped = find(key)
    with threads(1):
        found = run(shipped.point)
    rows: list[list[Cell]] = [
        [("bytes of the file", ""), *((f"{one['bytes']:,}", "") for one in (shipped.result, found))]
    ]
    for split in results.SPLITS:
        shares = (Accuracy(*one["accuracy"][split]) for one in (shipped.result, found))
        rows.append([(f"{split} accuracy", ""), *((f"{100 * one.value:.2f} %", _spread(one)) for one in shares)])
    rows.append([("seconds", ""), *((f"{sum(one['seconds'].values()):.1f}", "") for one in (shipped.result, found))])
    point = shipped.point
    name = " ".join(filter(None, (point.network, point.variant)))
    return Table(f"{name} on {point.data}: {title(point)}, seed {point.seed}", ("", "shipped", "now"), rows)


def _spread(found: Accuracy) -> str:
    return f"{100 * found.low:.2f} to {100 * found.high:.2f}"


def main(arguments: list[str]) -> int:
    """Run one point again; return 0, or 1 after saying in one sentence what went wrong."""
    parser = argparse.ArgumentParser(prog="labkit again", description="Run one point of the shipped results once more.")
    parser.add_argument("key", help="the key of a point, as the tables and the frontier state it")
    try:
        print(again(parser.parse_args(arguments).key))
    except (ValueError, RuntimeError, OSError, ArithmeticError) as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 1
    return 0
