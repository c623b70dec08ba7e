"""The command `labkit imagenet`: the survey's table II on AlexNet and VGG-16, where a person has ImageNet's pictures.

Every convolution of a torchvision network is cut to the same share of its numbers, and top-1 and top-5 are counted on
the validation pictures (Russakovsky 2015). Nothing is trained afterwards; the networks of the table were. What is done
is written as it goes, and the same command goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from labkit import hardware, storage
from labkit.benchmark import lines, published
from labkit.benchmark.imagenet_cut import METHODS, compressed, convolutions, count, cut_in
from labkit.benchmark.imagenet_files import NETWORKS, Pictures, fingerprint, network, pictures
from labkit.latency import Ratio, compare, running
from labkit.macs import macs
from labkit.measure import Accuracy
from labkit.table import Cell, Table

DENSE = "dense"
PUBLISHED = {"alexnet": "AlexNet", "vgg16": "VGG-16"}
COMPRESSION = {"alexnet": 5.0, "vgg16": 2.75}  # those of table II
SHAPE = (3, 224, 224)
CHUNK = 100  # pictures, after which what was counted is written
ROUNDS = 5
NOTE = (
    "Accuracy with its 95 % interval. Speed-up: for one picture, with the range of nine in ten rounds; not real where "
    "the dense network against itself differs as much. Smaller: the numbers of the convolutions, then all bytes of the "
    "file. The published networks were trained after they were cut, ours were not. [S]: read in the survey."
)


class Log:
    """What is done so far, one record a line, for one network with one set of pictures."""

    def __init__(self, file: Path, *about: object):
        self.file, self.about = file, about

    def key(self, name: str) -> str:
        """Return the name under which a network's records stand."""
        return hashlib.sha256(repr((*self.about, name)).encode()).hexdigest()[:16]

    def read(self, name: str, field: str) -> list[dict]:
        """Return a network's records that have a field, the oldest first."""
        found = (record for _, record in lines.read(self.file))
        return [record for record in found if record.get("key") == self.key(name) and field in record]

    def append(self, name: str, **record: object) -> None:
        """Add a record; it is on the disk when this returns."""
        lines.append(self.file, {"key": self.key(name), "name": name} | record)


def counted(model: nn.Module, of: Pictures, limit: int, log: Log, name: str, batch: int, device: str) -> list[Accuracy]:
    """Count how many of the first `limit` pictures have their class first (top-1) and among five (top-5)."""
    found = [record for record in log.read(name, "top5") if record["pictures"] <= limit]
    done = max(found, key=lambda record: record["pictures"], default={"pictures": 0, "top1": 0, "top5": 0})
    seen, right = done["pictures"], torch.tensor([done["top1"], done["top5"]])
    model.to(device)
    with tqdm(total=limit, initial=seen, desc=name, unit="picture") as bar:
        while seen < limit:
            end = min(limit, seen + CHUNK)
            for begin in range(seen, end, batch):
                images, labels = of.batch(begin, min(end, begin + batch))
                right += hits(model, images.to(device), labels.to(device))
                bar.update(len(labels))
            seen = end
            log.append(name, pictures=seen, top1=int(right[0]), top5=int(right[1]))
    return [Accuracy(int(hit), limit) for hit in right]


@torch.inference_mode()
def hits(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Count the labels (n,) that are first among the model's answers, and those among the first five: shape (2,).

    >>> answers = nn.Identity()
    >>> hits(answers, torch.tensor([[9.0, 8, 7, 6, 5, 4], [9.0, 8, 7, 6, 5, 4]]), torch.tensor([0, 4])).tolist()
    [1, 2]
    """
    answers = model(images)
    best = answers.topk(min(5, answers.shape[1]), 1).indices == labels[:, None]
    return torch.stack([best[:, 0].sum(), best.sum()]).cpu()


def timed(dense: nn.Module, model: nn.Module, log: Log, name: str, device: str) -> Ratio:
    """Say how many times faster than the dense network, both just as they are, or what an earlier run has found."""
    for record in log.read(name, "speed"):
        return Ratio(**record["speed"])
    works = (running(net, SHAPE, 1, device) for net in (dense, dense, model))
    found = compare(*works, rounds=ROUNDS)
    log.append(name, speed=asdict(found))
    return found


def row(name: str, model: nn.Module, dense: nn.Module, right: Sequence[Accuracy], speed: Ratio | None) -> list[Cell]:
    """Show one network: accuracies, time, numbers and bytes, multiplications, the last four beside the dense one."""
    less = count(*convolutions(dense).values()) / count(*cut_in(model, dense))
    size = storage.size(model).total
    fewer = storage.size(dense).total / size
    said = "" if speed is None else f"{speed.low:.2f} to {speed.high:.2f}{'' if speed.real else ', not real'}"
    return [
        (name, ""),
        *((f"{100 * one.value:.2f} %", f"{100 * one.low:.2f} to {100 * one.high:.2f}") for one in right),
        (f"{1 if speed is None else speed.value:.2f}×", said),
        (f"{less:.2f}×", f"file {fewer:.2f}×, {size:,} bytes"),
        (f"{macs(dense, SHAPE) / macs(model, SHAPE):.2f}×", ""),
    ]


def stated(name: str) -> list[list[Cell]]:
    """Return the rows of the survey's table II on a network."""
    found = published.rows(paper="cheng2018", table="II", network=PUBLISHED[name])
    nothing = ("not stated", "")
    whole = [(f"{PUBLISHED[name]}, published", ""), nothing, top5(found[0].baseline_percent, found[0].trust)]
    rows = [[*whole, ("1", ""), ("1", ""), nothing]]
    for one in found:
        numbers = [(one.shown("speedup"), ""), (one.shown("ratio"), "")]
        rows.append([(f"{one.method}, published", ""), nothing, top5(one.error_percent, one.trust), *numbers, nothing])
    return rows


def top5(error: float, trust: str) -> Cell:
    """Show a published top-5 error as the accuracy that the table prints."""
    return f"{100 - error:.2f} % [{trust}]", ""


def run(options: argparse.Namespace) -> Table:
    """Compress, count and time what is not done yet, and return the table."""
    of = pictures(options.images)
    dense = network(options.network, options.weights)
    compression = COMPRESSION[options.network] if options.compression is None else options.compression
    if not compression >= 1:
        raise ValueError(f"compression is {compression}, but must be at least 1, for example 2.75")
    limit = min(options.limit or len(of), len(of))
    device = str(hardware.device(options.device))
    log = Log(options.results / f"{options.network}.jsonl", fingerprint(options.weights), of.fingerprint)
    rows = []
    with lines.alone(log.file), torch.no_grad():
        for method in (DENSE, *options.method):
            name = method if method == DENSE else f"{method} x {compression:g}"
            folder = options.results / f"{options.network}-{log.key(name)}"
            model = dense if method == DENSE else compressed(dense, method, compression, folder)
            right = counted(model, of, limit, log, name, options.batch, device)
            speed = None if method == DENSE else timed(dense, model, log, name, device)
            rows.append(row(name, model, dense, right, speed))
    columns = ("network", "top-1", "top-5", "speed-up", "smaller", "fewer multiplications")
    title = f"{PUBLISHED[options.network]} on {limit:,} of ImageNet's validation pictures"
    return Table(title, columns, rows + stated(options.network), NOTE)


def main(arguments: list[str]) -> int:
    """Run the command; return 0, or 1 after saying in one sentence what went wrong."""
    parser = argparse.ArgumentParser(
        prog="labkit imagenet",
        description="Cut the convolutions of torchvision's AlexNet or VGG-16, and count on ImageNet's pictures.",
    )
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="torchvision's weights as a .safetensors file")
    parser.add_argument("--images", type=Path, required=True, help="a folder with 1,000 folders, as in n01440764")
    slow = "lowrank.Spatial if left out; lowrank.CP takes minutes a layer of AlexNet, and hours for VGG-16"
    parser.add_argument("--method", nargs="+", choices=METHODS, default=["lowrank.Spatial"], help=slow)
    parser.add_argument("--compression", type=float, help="of the convolutions; that of the survey's table II")
    parser.add_argument("--limit", type=positive, help="count so many pictures, drawn at random; all")
    parser.add_argument("--batch", type=positive, default=8, help="pictures at a time; 8 of VGG-16 fit into 2 GB")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps, or auto for a GPU where there is one")
    parser.add_argument("--results", type=Path, default=Path("imagenet-results"), help="a folder for what is done")
    try:
        print(run(parser.parse_args(arguments)))
        return 0
    except (ValueError, RuntimeError, OSError) as error:
        print(f"labkit: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("labkit: stopped; the same command goes on where it was", file=sys.stderr)
    return 1


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)
