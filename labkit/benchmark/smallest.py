"""The smallest files of the lab: pruned, shared and Huffman-coded until the error is just what it may be.

`labkit smallest` shows them beside Deep Compression (Han 2016), and makes what is not there. What each file
shall reach, and how, stands in `aims`; the steps are in `pipeline`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

from labkit import checkpoints, storage, zoo
from labkit.benchmark import paired, pipeline, published
from labkit.benchmark.aims import AIMS, DATA, Aim, find
from labkit.benchmark.report import NOTHING
from labkit.data import ROOT
from labkit.data import load as load_data
from labkit.files import write
from labkit.pruning.compact import compact
from labkit.table import Cell, Table
from labkit.threads import threads
from labkit.train import cross_entropy

FOLDER = ROOT / "smallest"
SEEDS = (0, 1, 2)
STAGES = "stages.partial"  # in the folder: what is done of a run that is not


def make(name: str, seed: int, folder: Path = FOLDER, say: Callable[[str], None] = print) -> dict:
    """Make the file of an aim and its card, going on after the last finished stage; return the card.

    It runs in one thread, so that the same machine makes the same file again. Raises ValueError for an
    aim that does not exist.
    """
    aim, images = find(name), load_data(DATA)
    stages = Path(folder) / STAGES
    stages.mkdir(parents=True, exist_ok=True)
    pruning, sharing = (replace(recipe, seed=seed) for recipe in (aim.pruning, aim.sharing))
    loss = pipeline.distilled(zoo.load(aim.teacher, DATA)) if aim.teacher else cross_entropy

    def prune() -> nn.Module:
        say(f"{name}, seed {seed}: pruning in {pruning.epochs} epochs")
        return pipeline.prune(dense, images, pruning, aim.density, loss=loss)

    def share() -> nn.Module:
        say(f"{name}, seed {seed}: training shared values in {sharing.epochs} epochs")
        arranged = pipeline.arrange(compact(sparse, images.image_shape), images.image_shape)
        return pipeline.train(pipeline.share(arranged, aim.clusters), images, sharing, loss)

    with threads(1):
        say(f"{name}, seed {seed}: the dense network")
        dense = start(aim, seed, stages)
        settings = (aim.network, pruning, aim.density, aim.teacher)
        sparse = _stage(stages / f"{name}-seed{seed}-pruned-{_digest(*settings)}", prune)
        shared = _stage(stages / f"{name}-seed{seed}-shared-{_digest(*settings, sharing, aim.clusters)}", share)
        storage.save(pipeline.round_biases(shared, aim.biases), path(name, seed, folder))
        about = describe(name, seed, dense, folder)
    write(_card(name, seed, folder), json.dumps(about, indent=1).encode() + b"\n")
    return about


def start(aim: Aim, seed: int, stages: Path) -> nn.Module:
    """Return the dense network from which a file starts: of seed 0 the shipped one, of others one trained alike."""
    if seed == 0:
        return zoo.load(aim.network, DATA)
    root = stages / f"dense-seed{seed}"
    if not zoo.checkpoint(aim.network, DATA, root=root).with_suffix(".json").exists():
        recipe = replace(checkpoints.RECIPES[aim.network, DATA, ""], seed=seed)
        for _ in checkpoints.train(aim.network, DATA, root=root, recipe=recipe):
            pass
    return zoo.load(aim.network, DATA, root=root)


def describe(name: str, seed: int, dense: nn.Module, folder: Path = FOLDER) -> dict:
    """Return the card of a file: what it is, how it was made, and what it has right as it is loaded.

    Of both splits it counts the pictures that the file, its dense start ("other"), and only one of them has right.
    The recipes ran with the card's seed in the place of theirs.
    """
    images, model = load_data(DATA), load(name, seed, folder)
    content = path(name, seed, folder).read_bytes()
    return {
        "aim": name,
        "seed": seed,
        "data": DATA,
        "bytes": len(content),
        "dense_bytes": 4 * zoo.parameters(dense),
        "results": {split: paired.compare(model, dense, images, split) for split in ("validation", "test")},
        "recipe": asdict(find(name)),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def path(name: str, seed: int = 0, folder: Path = FOLDER) -> Path:
    """Return where the file of an aim lies; its card lies beside it, with the ending .json."""
    find(name)
    return Path(folder) / f"{name}-seed{seed}.safetensors"


def load(name: str, seed: int = 0, folder: Path = FOLDER) -> nn.Module:
    """Return the network of a file: `labkit.load` of its path, by the name of its aim.

    Raises ValueError for an aim that does not exist, and FileError for a file that does not.
    """
    return storage.load(path(name, seed, folder))


def cards(name: str, folder: Path = FOLDER) -> list[dict]:
    """Return the cards of an aim's files, by seed, as far as they are there."""
    found = (_card(name, seed, folder) for seed in SEEDS)
    return [json.loads(card.read_text()) for card in found if card.exists()]


def table(folder: Path = FOLDER) -> Table:
    """Set Deep Compression's whole networks (Han 2016, table 1) beside ours, as test errors on MNIST."""
    rows = []
    for name, aim in AIMS.items():
        (stated,) = published.rows(paper="han2016", network=aim.network, table="1")
        theirs = f"{stated.shown('error_percent')}, {stated.shown('ratio')}"
        rows.append(((f"{aim.network}, {aim.says}", ""), (theirs, ""), *_ours(cards(name, folder))))
    first = path(next(iter(AIMS))).relative_to(ROOT.parent)
    note = (
        "Means, and in brackets the range of the seeds; p says how likely chance alone sets a file and its dense start "
        "so far apart on the same pictures (McNemar 1947), seed by seed. The settings were chosen on validation. From "
        "its dense start on, a file is trained for more epochs and learns the answers of a LeNet-5 too. Times smaller: "
        "the dense float32 bytes by all bytes of the file. [S]: read in the paper. "
        f"To load one: labkit.load('{first}')"
    )
    columns = ("file", "published", "error", "dense error", "bytes", "times smaller", "p", "on validation")
    return Table("The smallest files on MNIST, test errors", columns, rows, note)


def _ours(found: list[dict]) -> list[Cell]:
    if not found:
        return [NOTHING] * 6
    counted = [card["results"]["test"] for card in found]
    chances = [paired.mcnemar(each["only_right"], each["only_other_right"]) for each in counted]
    chosen = [sum(_errors(found, "validation", who)) / len(found) for who in ("right", "other_right")]
    return [
        _spread(_errors(found, "test", "right"), "{:.2f} %"),
        _spread(_errors(found, "test", "other_right"), "{:.2f} %"),
        _spread([card["bytes"] for card in found], "{:,.0f}"),
        _spread([card["dense_bytes"] / card["bytes"] for card in found], "{:.0f}×"),
        (", ".join(f"{chance:.2g}" for chance in chances), ""),
        (f"{chosen[0]:.2f} %", f"dense {chosen[1]:.2f} %"),
    ]


def _errors(found: list[dict], split: str, who: str) -> list[float]:
    """Return an error of each seed in percent: of the file ("right") or of its dense start ("other_right")."""
    counted = [card["results"][split] for card in found]
    return [100 * (1 - each[who] / each["images"]) for each in counted]


def _spread(values: list[float], form: str) -> Cell:
    """Show the mean, and the range where there are several."""
    between = f"{form.format(min(values))} to {form.format(max(values))}" if len(values) > 1 else "1 seed"
    return form.format(sum(values) / len(values)), between


def _card(name: str, seed: int, folder: Path) -> Path:
    return path(name, seed, folder).with_suffix(".json")


def _stage(target: Path, work: Callable[[], nn.Module]) -> nn.Module:
    """Return what an earlier run has left of a stage, or do it."""
    if not target.exists():
        storage.save(work(), target)
    return storage.load(target)


def _digest(*settings: object) -> str:
    """Return a name for what decides a stage, so that another recipe does not go on from it."""
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:8]


def main(arguments: list[str]) -> int:
    """Make the files that are not there, and show all; return 0, or 1 after saying in one sentence what went wrong."""
    parser = argparse.ArgumentParser(prog="labkit smallest", description="Make and show the smallest files.")
    parser.add_argument("aim", nargs="?", choices=AIMS, help="all, unless one is named")
    parser.add_argument("--seed", type=int, choices=SEEDS, help="all, unless one is named")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files are, or will be")
    options = parser.parse_args(arguments)
    try:
        for name in [options.aim] if options.aim else AIMS:
            for seed in SEEDS if options.seed is None else [options.seed]:
                if not _card(name, seed, options.folder).exists():
                    make(name, seed, options.folder)
        print(table(options.folder))
    except (ValueError, RuntimeError, OSError, ArithmeticError) as error:
        print(f"labkit: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("labkit: stopped; the same command goes on after the last finished stage", file=sys.stderr)
    else:
        return 0
    return 1
