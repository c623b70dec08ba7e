"""The command line: `labkit train LeNet-5`."""

from __future__ import annotations

import argparse
import sys

from tqdm import tqdm

from labkit import checkpoints, zoo


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, or 1 after printing in one sentence what went wrong."""
    parser = argparse.ArgumentParser(prog="labkit", description="The Compression Lab's tools.")
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a network of the zoo into data/checkpoints")
    train.add_argument("network", choices=zoo.NETWORKS)
    train.add_argument("--data", default="FashionMNIST")
    train.add_argument("--variant", default="", help="plain: without moving the pictures, as the papers did")
    train.add_argument("--device", default="cpu")
    options = parser.parse_args(arguments)
    try:
        return run_train(options)
    except (ValueError, RuntimeError, OSError) as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 1


def run_train(options: argparse.Namespace) -> int:
    """Train with a progress bar; stopping it loses at most the epoch under way."""
    bar = tqdm(total=0, unit="step", dynamic_ncols=True)
    for progress in checkpoints.train(options.network, options.data, options.variant, device=options.device):
        bar.total = progress.steps
        bar.set_postfix(loss=f"{progress.loss:.3f}", accuracy=f"{100 * progress.accuracy:.1f} %")
        bar.update(progress.step - bar.n)
    bar.close()
    card = zoo.card(options.network, options.data, options.variant)
    print(f"{options.network} on {options.data}: " + ", ".join(f"{k} {100 * v:.2f} %" for k, v in card["accuracy"].items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
