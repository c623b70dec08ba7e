"""Where the bytes go: for each layer what it takes in the file now and took originally."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from labkit.live.result import Result, Subject
from labkit.live.views import words

BARS = 8


def sizes(subject: Subject, result: Result) -> dict:
    """Return the layers in the order of the network; in a deep network the small ones share a bar."""
    before, now = subject.size.parts, Counter()
    for name, size in result.size.parts.items():
        now[home(name, before)] += size
    names = list(dict.fromkeys([*before, *now]))
    large = set(names)
    if len(names) > BARS:
        large = set(sorted(names, key=lambda name: -max(before.get(name, 0), now.get(name, 0)))[: BARS - 1])
    rows = [[name, now.get(name, 0), before.get(name, 0)] for name in names if name in large]
    rest = [name for name in names if name not in large]
    if rest:
        rows.append([f"{len(rest)} others", sum(now.get(n, 0) for n in rest), sum(before.get(n, 0) for n in rest)])
    said = "; ".join(f"{name} {words.size(size)} of {words.size(original)}" for name, size, original in rows)
    return {
        "rows": [[*row, words.size(row[1])] for row in rows],
        "text": f"Bytes of the file by layer, now of originally: {said}.",
    }


def home(name: str, layers: Collection[str]) -> str:
    """Return the layer in whose place a part (paths) stands, where a row of layers has taken it; else the part itself.

    >>> home("block1.conv2.depthwise", ["block1.conv1", "block1.conv2"]), home("fc", ["conv1"])
    ('block1.conv2', 'fc')
    """
    place = name
    while place and place not in layers:
        place = place.rpartition(".")[0]
    return place or name
