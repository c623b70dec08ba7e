"""The command `labkit sweep SPEC`: run what is still open of a sweep."""

from __future__ import annotations

import argparse
import sys

from labkit.benchmark import results, spec
from labkit.benchmark.sweep import Summary, sweep


def main(arguments: list[str]) -> int:
    """Run a sweep; return 0, or 1 where it stopped or a point failed, after saying so in one sentence."""
    parser = argparse.ArgumentParser(prog="labkit sweep", description="Run what is still open of a sweep.")
    parser.add_argument("spec", help="a spec (.toml), or the name of one in data/sweeps")
    parser.add_argument("--workers", type=int, help="processes on this machine; as many as it has processors")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="run on this Dask cluster, for example tcp://HOST:8786")
    parser.add_argument("--retry", action="store_true", help="try the points again that failed")
    try:
        ended = run(parser.parse_args(arguments))
    except (ValueError, RuntimeError, OSError) as error:
        print(f"labkit: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("labkit: stopped; the same command goes on where it was", file=sys.stderr)
    else:
        print(ended)
        return int(ended.failed > 0)
    return 1


def run(options: argparse.Namespace) -> Summary:
    """Read the spec, work out its points, and run those that are open."""
    wanted = spec.read(options.spec)
    points = spec.points(wanted)
    return sweep(wanted.name, points, options.workers, options.scheduler, options.retry, results.RESULTS)
