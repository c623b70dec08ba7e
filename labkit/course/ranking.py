"""The search for a structure, live: a bar for each candidate, which move while they are trained and drop out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from labkit import data, zoo
from labkit.live.shapes import DATA, INK, QUIET, WIDTH, card, page, text
from labkit.live.watch import Drawing, watch
from labkit.methods import Method
from labkit.structured.search import Candidate, search

LEFT, STEP = 330, 30


def rank_structures(
    methods: Sequence[Method], layer: str = "fc1", budget: int = 8_000, network: str = "LeNet-300-100"
) -> list[Candidate]:
    """Train all structures that store at most `budget` numbers in a layer, drop the worse half, and show the ranking.

    Returns the last ranking, the best first. See `labkit.structured.search.search`.
    """
    rankings = search(zoo.load(network), data.load(), layer, budget, methods)
    return watch(rankings, lambda found: draw(found[-1], layer, budget))[-1]


def draw(ranking: list[Candidate], layer: str, budget: int) -> Drawing:
    """Draw the ranking as bars of accuracy, those that dropped out hollow."""
    heading = f"Structures with at most {budget:,} numbers in {layer}: accuracy on the validation pictures, %"
    most = max(one.rounds for one in ranking)
    drawn = [card(20, 50, WIDTH - 40, STEP * len(ranking) + 20), text(20, 34, heading, 15, weight=700)]
    for index, one in enumerate(ranking):
        drawn += _bar(one, 60 + STEP * index, most)
    words = f"{heading}. {'; '.join(map(said, ranking))}."
    return Drawing(page(drawn, words, 60 + STEP * len(ranking) + 30), words)


def _bar(one: Candidate, top: float, most: int) -> list[str]:
    share = 0.0 if math.isnan(one.accuracy) else one.accuracy
    paint = f'fill="{DATA}"' if one.rounds == most else f'fill="none" stroke="{QUIET}"'
    length = (WIDTH - LEFT - 330) * share
    return [
        text(LEFT - 10, top + 18, one.name, 12, INK, "end"),
        f'<rect x="{LEFT}" y="{top + 5:.1f}" width="{length:.1f}" height="{STEP - 12}" {paint}/>',
        text(LEFT + length + 8, top + 18, _result(one), 12),
    ]


def _result(one: Candidate) -> str:
    if not one.rounds:
        return f"{one.numbers:,} numbers, not trained yet"
    epochs = 2**one.rounds - 1
    return f"{100 * one.accuracy:.1f} %, {one.numbers:,} numbers, {epochs} short epoch{'s' * (epochs > 1)}"


def said(one: Candidate) -> str:
    """Say how a candidate has done."""
    return f"{one.name}: {_result(one)}"
