"""How much faster the lab evaluates than the plain loop, and how near it comes to the processor's rate.

    python -m benchmarks.evaluation [--pictures 2000] [--rounds 3] [--busy]

The plain loop is what a tutorial writes: float32, eager, a DataLoader with ToTensor and Normalize for
each picture, batch 128, no workers. Everything is timed in turns in one process, each with one thread
and with all, and each side's faster number of threads counts. Prints a table and writes
benchmarks/results/evaluation.json. On a machine that other programs use, waiting
for the processor drowns the rest: there `--busy` takes one thread, and the processor's time.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from benchmarks.timing import Clock, in_turns, machine, record
from labkit import data as datasets
from labkit import layers, zoo
from labkit._torchvision import torchvision
from labkit.evaluate import Evaluator
from labkit.measure import macs
from labkit.pruning import Magnitude
from labkit.threads import threads

TARGETS = {"VGG": 5.0, "LeNet-5": 5.0}
MATRIX = 1024


def network(name: str) -> nn.Module:
    """Return a trained network, or an untrained one where there is no checkpoint: the time is the same."""
    try:
        return zoo.load(name)
    except FileNotFoundError:
        return layers.adopt(zoo.build(name)).eval()


def first(data: datasets.Data, count: int) -> datasets.Data:
    """Return the data set with only the first pictures of its validation split."""
    part = data.validation.take(slice(0, count))
    return datasets.Data(data.name, data.classes, part, part, part, data.mean, data.std)


def plain_loop(name: str, data: datasets.Data) -> Callable[[], int]:
    """The tutorial's loop; returns the number of right answers."""
    transforms = torchvision("transforms")
    change = transforms.Compose([transforms.ToTensor(), transforms.Normalize(data.mean, data.std)])
    part = data.validation

    class Pictures(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(part)

        def __getitem__(self, index: int):
            return change(transforms.functional.to_pil_image(part.images[index])), int(part.labels[index])

    model, path = zoo.build(name), zoo.checkpoint(name, data.name)
    if path.exists():
        model.load_state_dict(load_file(path))
    model.eval()
    loader = torch.utils.data.DataLoader(Pictures(), batch_size=128)

    @torch.no_grad()
    def run() -> int:
        return sum(int((model(images).argmax(1) == labels).sum()) for images, labels in loader)

    return run


def fast(name: str, data: datasets.Data) -> Callable[[], int]:
    """The evaluator on two models in turn, so that every run loads new weights and keeps nothing."""
    model = network(name)
    evaluator, curve = Evaluator(model, data), Magnitude().prepare(model)
    models = itertools.cycle([curve.at(0), curve.at(0.1)])

    def run() -> int:
        *_, last = evaluator.full(next(models))
        return last.accuracy.right

    return run


def product() -> None:
    """One product of two float32 matrices."""
    torch.mm(_LEFT, _RIGHT)


_LEFT, _RIGHT = torch.randn(2, MATRIX, MATRIX, generator=torch.Generator().manual_seed(0))


def with_threads(count: int, work: Callable[[], object]) -> Callable[[], object]:
    """Run with so many threads."""
    return threads(count)(work)


def against_loop(name: str, data: datasets.Data, rounds: int, clock: Clock) -> dict:
    """Compare the evaluator with the plain loop."""
    loop, counts = plain_loop(name, data), sorted({1, torch.get_num_threads()})
    works = {f"loop {count}": with_threads(count, loop) for count in counts} | {"lab": fast(name, data)}
    times = in_turns(works, rounds, clock)
    best = min((f"loop {count}" for count in counts), key=lambda key: np.median(times[key]))
    ratios = [slow / quick for slow, quick in zip(times[best], times["lab"], strict=True)]
    n = len(data.validation)
    return {
        "network": name,
        "pictures": n,
        "loop_ms_per_picture": 1e3 * float(np.median(times[best])) / n,
        "loop_threads": int(best.split()[1]),
        "lab_ms_per_picture": 1e3 * float(np.median(times["lab"])) / n,
        "ratio": float(np.median(ratios)),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "target": TARGETS[name],
        "seconds": {key: [round(value, 4) for value in row] for key, row in times.items()},
    }


def against_processor(data: datasets.Data, rounds: int, clock: Clock) -> dict:
    """Compare LeNet-300-100's rate of multiplications with that of one large matrix product."""
    name, counts = "LeNet-300-100", sorted({1, torch.get_num_threads()})
    works = {f"product {count}": with_threads(count, product) for count in counts} | {"lab": fast(name, data)}
    times = in_turns(works, 5 * rounds, clock)
    best = min((f"product {count}" for count in counts), key=lambda key: np.median(times[key]))
    work = 2 * macs(zoo.build(name), data.image_shape) * len(data.validation)
    rates = [work / 1e9 / seconds for seconds in times["lab"]]
    peaks = [2 * MATRIX**3 / 1e9 / seconds for seconds in times[best]]
    shares = [rate / peak for rate, peak in zip(rates, peaks, strict=True)]
    return {
        "network": name,
        "pictures": len(data.validation),
        "gflops": float(np.median(rates)),
        "product_gflops": float(np.median(peaks)),
        "product_threads": int(best.split()[1]),
        "share": float(np.median(shares)),
        "share_low": min(shares),
        "share_high": max(shares),
        "target": 0.5,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", action="store_true", help="one thread, and the processor's time")
    options = parser.parse_args()
    clock = time.process_time if options.busy else time.perf_counter
    if options.busy:
        torch.set_num_threads(1)
    whole = datasets.load("FashionMNIST")
    some = first(whole, options.pictures)
    about = machine() | {"clock": "processor time" if options.busy else "wall"}
    loops = [against_loop(name, some, options.rounds, clock) for name in TARGETS]
    rate = against_processor(whole, options.rounds, clock)
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    for row in loops:
        times = f"loop {row['loop_ms_per_picture']:.3f}, lab {row['lab_ms_per_picture']:.3f} ms a picture"
        spread = f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}"
        print(f"{row['network']:14} {times}: x {row['ratio']:.2f} ({spread}), target {row['target']:g}")
    print(
        f"{rate['network']:14} {rate['gflops']:.1f} of {rate['product_gflops']:.1f} GFLOP/s: "
        f"{rate['share']:.2f} ({rate['share_low']:.2f} to {rate['share_high']:.2f}), target {rate['target']:g}"
    )
    record("evaluation", {"machine": about, "loops": loops, "rate": rate})


if __name__ == "__main__":
    main()
