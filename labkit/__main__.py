"""The command line: `labkit train LeNet-5`, `labkit sweep quantization` and `labkit build`."""

from __future__ import annotations

import argparse
import importlib
import sys

from tqdm import tqdm

from labkit import checkpoints, hardware, zoo
from labkit.data import NAMES

# Commands with options of their own. Each needs what the others do not, so it is imported when it is called.
OWN = {
    "again": ("labkit.benchmark.again", "run one point of the shipped results once more"),
    "build": ("labkit.course.build", "build the notebooks from notebooks/source"),
    "imagenet": ("labkit.benchmark.imagenet", "the survey's table II on AlexNet and VGG-16, given ImageNet's pictures"),
    "smallest": ("labkit.benchmark.smallest", "show the smallest files, and make those that are not there"),
    "time": ("labkit.benchmark.times", "time the networks of all results on this machine; a second run goes on"),
    "sweep": ("labkit.benchmark.command", "measure many methods, networks and knobs; a second run goes on"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, or 1 after printing in one sentence what went wrong."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="labkit", description="The Compression Lab's tools.")
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a network of the zoo into data/checkpoints; a second run goes on")
    train.add_argument("network", choices=zoo.NETWORKS)
    train.add_argument("--data", default="FashionMNIST", choices=NAMES)
    train.add_argument("--variant", default="", help="plain: without moving the pictures, as the papers did")
    train.add_argument("--device", default="cpu", help="cpu, cuda, mps, or auto for a GPU where there is one")
    for name, (_, does) in OWN.items():
        commands.add_parser(name, help=f"{does} (labkit {name} --help)", add_help=False)
    options, rest = parser.parse_known_args(given)
    if options.command in OWN:
        return importlib.import_module(OWN[options.command][0]).main(rest)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return run_train(options)
    except (ValueError, RuntimeError, OSError, ArithmeticError) as error:
        print(f"labkit: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("labkit: stopped; the same command goes on after the last whole epoch", file=sys.stderr)
    return 1


def run_train(options: argparse.Namespace) -> int:
    """Train with a progress bar; stopping it loses at most the epoch under way."""
    device = str(hardware.device(options.device))
    with tqdm(total=0, unit="step", dynamic_ncols=True) as bar:
        for progress in checkpoints.train(options.network, options.data, options.variant, device=device):
            bar.total = progress.steps
            bar.set_postfix(loss=f"{progress.loss:.3f}", accuracy=f"{100 * progress.accuracy:.1f} %")
            bar.update(progress.step - bar.n)
    card = zoo.card(options.network, options.data, options.variant)
    reached = ", ".join(f"{split} {100 * share:.2f} %" for split, share in card["accuracy"].items())
    print(f"{options.network} on {options.data}: {reached}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
