"""What others found: the lab's own shipped sweeps as pale lines, and the papers' numbers as hollow marks."""

from __future__ import annotations

from collections.abc import Collection

from labkit import references
from labkit.benchmark import published, results
from labkit.benchmark.published import Published
from labkit.benchmark.results import Series
from labkit.live.result import OWN, Choice
from labkit.live.views import words


def shipped(choice: Choice, methods: Collection[str], split: str, original: int) -> dict:
    """Return pale lines and hollow marks for a network; `methods` are the titles of the panel's methods.

    A paper's size is the share that it states of its own original, of ours of `original` bytes.
    """
    network, _, variant = choice.network.partition(" ")
    if choice.network == OWN or split == "train":
        return {"lines": [], "papers": [], "text": ""}
    curves = [found for found in results.curves(network, choice.data, variant, split) if _belongs(found, methods)]
    lines = [{"name": name(found), "method": found.title, "points": _points(found)} for found in curves]
    papers = [
        {"name": row.cited, "short": _short(row), "point": [round(original / row.ratio), 100 - row.error_percent]}
        for row in published.on(network, choice.data)
    ]
    said = [f"{line['name']}: {len(line['points'])} points" for line in lines]
    said += [f"{mark['name']}: {mark['point'][1]:.2f} % at {words.size(mark['point'][0])}" for mark in papers]
    return {"lines": lines, "papers": papers, "text": f"Shipped and published: {'; '.join(said)}." if said else ""}


def name(found: Series) -> str:
    """Say which method, trained or not."""
    return found.title + (", trained" if found.trained else "")


def _short(row: Published) -> str:
    """Name a number's paper and mark: so much fits beside it in a plot."""
    return f"{references.short(row.paper)} [{row.trust}]"


def _belongs(found: Series, methods: Collection[str]) -> bool:
    return found.where is None and not found.keep and found.start == "checkpoint" and found.title in methods


def _points(found: Series) -> list[list[float]]:
    return sorted([round(mark.bytes), round(100 * mark.accuracy, 2)] for mark in found.marks)
