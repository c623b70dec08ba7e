"""What a teacher costs: an epoch of a student that is plain, asks its teacher anew, or remembers what it said.

    python -m benchmarks.distillation [--network VGG] [--width 0.25] [--pictures 2560] [--rounds 5]

Each student trains for an epoch in turns with the others. The plain one runs twice, as a control: only what is further
away than its two medians counts. Prints seconds and ratios to the plain student, and writes
benchmarks/results/distillation.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import torch

from benchmarks.timing import in_turns, machine, record
from labkit import data, zoo
from labkit.data import Data
from labkit.distillation import AttentionTransfer, LabelsAlone, SoftTargets
from labkit.distillation.answers import Answers
from labkit.methods import Curve, Method


def main() -> None:
    """Time an epoch of each student."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="VGG")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--pictures", type=int, default=2560)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    pictures = data.load().few(options.pictures)
    curves = {method.title: prepared(method, options.network, pictures) for method in (LabelsAlone(), SoftTargets())}
    plain, taught = (epoch(curve, options.width, pictures) for curve in curves.values())
    forgetful = curves[SoftTargets.title]

    def anew() -> None:
        forgetful._answers = Answers(forgetful.answers(pictures, "cpu").teacher, pictures.train)
        taught()

    with_maps = epoch(prepared(AttentionTransfer(), options.network, pictures), options.width, pictures)
    works = {"plain": plain, "plain again": plain, "teacher asked anew": anew, "teacher remembered": taught}
    times = in_turns(works | {"teacher's maps": with_maps}, options.rounds)
    medians = {name: median(found) for name, found in times.items()}
    for name, seconds in medians.items():
        print(f"{name:<22}{seconds:8.2f} s{seconds / medians['plain']:8.2f} times")
    record("distillation", {"machine": machine(), **vars(options), "seconds": medians})


def prepared(method: Method, network: str, pictures: Data) -> Curve:
    """Return the curve of a method on a trained network; all draw the same student."""
    torch.manual_seed(0)
    return method.prepare(zoo.load(network), pictures)


def epoch(curve: Curve, width: float, pictures: Data) -> Callable[[], None]:
    """Return the work of one epoch."""

    def work() -> None:
        for _ in curve.train(width, pictures, replace(curve.method.recipe, epochs=1)):
            pass

    return work


if __name__ == "__main__":
    main()
