"""Do one point of a sweep: compress, train where the point says so, and measure."""

from __future__ import annotations

import time
from dataclasses import asdict

import torch
from torch import nn

from labkit import data as datasets
from labkit import storage, zoo
from labkit.benchmark import catalogue
from labkit.benchmark.point import Point, Step
from labkit.data import Data
from labkit.layers import adopt
from labkit.measure import accuracy, macs, parameters
from labkit.methods import Curve
from labkit.train import Loss, Recipe, cross_entropy

MOST_LOSSES = 48  # of the learning curve


def run(point: Point) -> dict:
    """Measure one point and return, as plain data, all that was measured.

    `accuracy` of the validation and of the test split ([right, of]; the test split chooses nothing),
    `bytes` of the file and its `parts` (by layer), `parameters`, `macs` for one picture, `seconds` for
    prepare and for at or train, the whole `recipe` (None without training), and `losses`, the learning
    curve as [step, loss].
    The same point gives the same numbers, but for the seconds. Raises what the method raises.

    >>> found = run(Point("LeNet-300-100", "MNIST", "quantization.KMeans", 4))
    >>> found["accuracy"]["validation"][0] > 4900, found["parameters"]
    (True, 266658)
    """
    data = datasets.load(point.data)
    curve, seconds = prepared(point, data)
    begin = time.perf_counter()
    model, losses = compressed(curve, point.value, data, recipe(point, point.seed), catalogue.loss(point.loss))
    seconds["at" if point.train is None else "train"] = time.perf_counter() - begin
    found = {split: accuracy(model, data, split) for split in ("validation", "test")}
    size = storage.size(model)
    return {
        "accuracy": {split: [one.right, one.images] for split, one in found.items()},
        "bytes": size.total,
        "parts": size.parts,
        "parameters": parameters(model),
        "macs": macs(model, data.image_shape),
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "recipe": None if point.train is None else asdict(recipe(point, point.seed)),
        "losses": thinned(losses),
    }


def compressed(
    curve: Curve, value: float, data: Data, recipe: Recipe | None, loss: Loss = cross_entropy
) -> tuple[nn.Module, list[list[float]]]:
    """Return the network at a value of the knob, trained where there is a recipe, and its learning curve."""
    if recipe is None:
        return curve.at(value), []
    losses = []
    for progress, trained in curve.train(value, data, recipe, loss=loss):
        losses.append([progress.step, progress.loss])
        model = trained
    return model.eval(), losses


def recipe(of: Point | Step, seed: int) -> Recipe | None:
    """Return the recipe of a point or step with the point's seed; None where nothing is trained."""
    return None if of.train is None else Recipe(**of.train, seed=seed)


def prepared(point: Point, data: Data) -> tuple[Curve, dict[str, float]]:
    """Return the curve of the point's method, and the seconds that preparing it took."""
    torch.manual_seed(point.seed)
    model = started(point, data)
    for step in point.keep:
        curve = catalogue.make(step.method, step.arguments).prepare(model, data, step.where)
        model, _ = compressed(curve, step.value, data, recipe(step, point.seed))
    begin = time.perf_counter()
    curve = catalogue.make(point.method, point.arguments).prepare(model, data, point.where)
    return curve, {"prepare": time.perf_counter() - begin}


def started(point: Point, data: Data) -> nn.Module:
    """Return the network that a point begins with: the trained one, or an untrained one that holds Weights."""
    if point.start == "checkpoint":
        return zoo.load(point.network, point.data, point.variant)
    return adopt(zoo.build(point.network, data.image_shape, len(data.classes))).eval()


def thinned(losses: list[list[float]], most: int = MOST_LOSSES) -> list[list[float]]:
    """Shorten a learning curve to `most` pairs: means of neighbours, each at its last step.

    >>> thinned([[10, 4.0], [20, 2.0], [30, 1.0]], 2)
    [[20, 3.0], [30, 1.0]]
    """
    share = max(1, -(-len(losses) // most))
    parts = [losses[begin : begin + share] for begin in range(0, len(losses), share)]
    return [[part[-1][0], round(sum(loss for _, loss in part) / len(part), 6)] for part in parts]
