"""The survey's four tables, each with its numbers from a file, and what the lab has run beside them."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

from labkit import zoo
from labkit.benchmark import catalogue, published, results
from labkit.benchmark.cells import said
from labkit.data import ROOT
from labkit.table import Cell, Table

FILE = ROOT / "survey.toml"
SOURCE = "Cheng 2018 (IEEE Signal Processing Magazine 35)"
OWN = ("MLP-3x512", "MLP-2x800", "MLP-1000", "MLP-784", "Z2CNN", "P4CNN", "P4CNN-pooled")


def read(file: Path = FILE) -> dict:
    """Return tables I and IV as plain data."""
    return tomllib.loads(Path(file).read_text(encoding="utf-8"))


def table_one() -> Table:
    """Show the survey's table I: the four themes, and how many methods of each the lab has.

    >>> [row[0][0] for row in table_one().rows]
    ['Pruning and sharing', 'Low rank', 'Transferred filters', 'Distillation']
    """
    rows = []
    for theme in read()["themes"]:
        listed = [name for folder in theme["folders"] for name in catalogue.methods(folder)]
        run = {entry.point.method for entry in results.every()} & set(listed)
        words = [(theme[part], "") for part in ("does", "layers", "starts", "remarks")]
        rows.append([(theme["name"], ""), *words, (f"{len(run)} of {len(listed)}", "with results")])
    note = (
        f"{SOURCE}, table I, in our words; the last column is ours, with controls. By the survey, transferred filters "
        "and distillation are for training from scratch only, which notebooks 05 and 06 put to the test."
    )
    columns = ("theme", "what it does", "layers", "starts", "remarks", "methods in the lab")
    return Table("The survey's table I: four themes", columns, rows, note)


def table_two() -> Table:
    """Show the survey's table II: low rank on ImageNet, in top-5 accuracy."""
    rows: list[list[Cell]] = []
    for network in dict.fromkeys(row.network for row in published.rows(paper="cheng2018", table="II")):
        found = published.rows(paper="cheng2018", table="II", network=network)
        rows.append([(network, ""), (f"{100 - found[0].baseline_percent:.2f} %", ""), ("1", ""), ("1", "")])
        rows += [
            [
                (f"{network}, {row.method}", ""),
                (f"{100 - row.error_percent:.2f} %", ""),
                (f"{row.speedup:.2f}", ""),
                (f"{row.ratio:.2f}", ""),
            ]
            for row in found
        ]
    note = (
        f"{SOURCE}, table II. {said('S')} The text below it calls BN the faster one and CP the smaller; the table has "
        "CP ahead in both, and BN in accuracy. Ours of the same form: notebook 04."
    )
    columns = ("network", "top-5 accuracy", "speed-up", "compression rate")
    return Table("The survey's table II: low rank on ILSVRC-2012", columns, rows, note)


def table_three() -> Table:
    """Show the survey's table III: transferred filters on CIFAR."""
    errors = {(row.method, row.data): row for row in published.rows(paper="cheng2018", table="III")}
    names = dict.fromkeys(name for name, _ in errors)
    rows = [
        [
            (name, ""),
            *((f"{errors[name, data].error_percent:.2f} %", "") for data in ("CIFAR-100", "CIFAR-10")),
            (f"{errors[name, 'CIFAR-10'].ratio:g}", ""),
        ]
        for name in names
    ]
    note = (
        f"{SOURCE}, table III. {said('S')} Its caption says top-5; on ten classes, 10 % of errors can only be top-1. "
        "Ours of the same form: notebook 05."
    )
    columns = ("filters", "CIFAR-100 error", "CIFAR-10 error", "compression rate")
    return Table("The survey's table III: transferred filters in VGG-16", columns, rows, note)


def table_four() -> Table:
    """Show the survey's table IV as a map: which theme was tried on which baseline, and how many points we have."""
    content = read()
    themes = {theme["name"]: theme["folders"] for theme in content["themes"]}
    counted = _counted()
    rows = [
        [(one["name"], _numbers(one.get("ours", []))), *(_cell(one, name, themes[name], counted) for name in themes)]
        for one in content["baselines"]
    ]
    own = {"name": "only here", "ours": OWN, "works": {}}
    rows.append([("Only in the lab", ", ".join(OWN)), *(_cell(own, name, themes[name], counted) for name in themes)])
    note = (
        f"{SOURCE}, table IV: the survey's references in brackets; below them, what data/results has of networks of "
        "this kind, counted now. An empty cell was tried by neither."
    )
    return Table("The survey's table IV as a map: what was tried on what", ("baseline", *themes), rows, note)


def _counted() -> Counter:
    """Count the finished points by network and section folder."""
    return Counter((entry.point.network, entry.point.method.partition(".")[0]) for entry in results.every())


def _cell(baseline: dict, theme: str, folders: list[str], counted: Counter) -> Cell:
    points = sum(counted[network, folder] for network in baseline.get("ours", []) for folder in folders)
    works = baseline["works"].get(theme, "")
    return (works or ("" if not points else "not in the survey"), f"ours: {points} points" if points else "")


def _numbers(networks: list[str]) -> str:
    """Say how many numbers the networks have."""
    return ", ".join(f"{name} {zoo.parameters(zoo.build(name)):,}" for name in networks)
