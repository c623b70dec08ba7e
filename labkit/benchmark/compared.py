"""Published numbers beside ours, over all notebooks: how far apart they are, and whether that says anything."""

from __future__ import annotations

import functools
import math
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labkit import data as datasets
from labkit import references, storage, zoo
from labkit.benchmark import published, results
from labkit.benchmark.published import Published
from labkit.benchmark.results import Entry
from labkit.benchmark.spots import title
from labkit.benchmark.tables import NUMBER, checked
from labkit.measure import NORMAL
from labkit.table import Cell, Table

FILE = datasets.ROOT / "compared.toml"
PICTURES = {"rotated MNIST of Larochelle": 50_000, "MNIST-noise of Larochelle": 50_000}  # of the test; others: 10,000
BETTER, NOISE, WORSE, NOT = "better", "within noise", "worse", "not comparable"
_PAIR = {"notebook": str, "theirs": dict, "ours": str, "why": str}
_THEIRS = dict.fromkeys(Published.__dataclass_fields__, str) | {"error_percent": NUMBER}


@dataclass(frozen=True)
class Pair:
    """A published row and the runs of ours that stand beside it, one for each seed; `why` they cannot be compared."""

    notebook: str
    theirs: Published
    ours: tuple[Entry, ...]
    why: str = ""

    @property
    def error(self) -> float:
        """Our mean test error, in percent."""
        return sum(self.errors) / len(self.errors)

    @property
    def errors(self) -> list[float]:
        """Our test error of each seed, in percent, the smallest first."""
        shares = (right / images for right, images in (entry.result["accuracy"]["test"] for entry in self.ours))
        return sorted(100 * (1 - share) for share in shares)

    @property
    def noise(self) -> float:
        """Half of the 95 % interval of the difference, in points, from the pictures of both test sets alone."""
        images = self.ours[0].result["accuracy"]["test"][1]
        return noise(self.theirs.error_percent, PICTURES.get(self.theirs.data, 10_000), self.error, images)

    @property
    def verdict(self) -> str:
        """BETTER, NOISE, WORSE or NOT."""
        return NOT if self.why else verdict(self.error - self.theirs.error_percent, self.noise)


def noise(theirs: float, their_pictures: int, ours: float, our_pictures: int) -> float:
    """Return half of the 95 % interval, in points, of the difference of two errors in percent.

    z sqrt(p (1 - p) / n + q (1 - q) / m), z = 1.96: two networks, each tested once, on pictures drawn apart.

    >>> round(noise(1.64, 10_000, 1.58, 10_000), 2)
    0.35
    """
    variances = (e / 100 * (1 - e / 100) / n for e, n in ((theirs, their_pictures), (ours, our_pictures)))
    return 100 * NORMAL * math.sqrt(sum(variances))


def verdict(difference: float, half: float) -> str:
    """Judge a difference of errors, ours minus theirs, both in points.

    >>> verdict(-0.5, 0.3), verdict(0.2, 0.3), verdict(0.4, 0.3)
    ('better', 'within noise', 'worse')
    """
    return NOISE if abs(difference) <= half else BETTER if difference < 0 else WORSE


def pairs(file: Path = FILE) -> list[Pair]:
    """Return all pairs of the file; raise ValueError for one whose row or run does not exist."""
    try:
        content = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        listed = checked(content, {"pairs": list}, ("pairs",), "the file")["pairs"]
        runs = _runs()
        return [_pair(one, runs) for one in listed]
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def compared() -> Table:
    """Set all published numbers that we have run beside ours, with a verdict."""
    found = pairs()
    counts = {name: sum(pair.verdict == name for pair in found) for name in (BETTER, NOISE, WORSE, NOT)}
    rows = [_row(pair) for pair in found]
    others = len({row.paper for row in published.read()} - {pair.theirs.paper for pair in found})
    note = (
        f"Test errors. {', '.join(f'{name}: {count}' for name, count in counts.items())}. Ours: mean, and the range of "
        "the seeds. The difference is ours minus theirs, ± what two tests on other pictures leave in doubt (95 %); it "
        "knows nothing of how much a paper's own seeds differ. `labkit again KEY` runs a row of ours once more. [S]: "
        "read in the paper; [S2]: in a source that quotes it; [M-M], [M-L]: recalled, not checked. Numbers of "
        f"{others} more papers were not run here: see data/published.csv."
    )
    columns = ("notebook, method", "theirs", "ours", "difference", "smaller, theirs and ours", "verdict", "key")
    return Table("Published against ours", columns, rows, note)


def _row(pair: Pair) -> Sequence[Cell]:
    theirs, point = pair.theirs, pair.ours[0].point
    seeds = f"{pair.errors[0]:.2f} to {pair.errors[-1]:.2f}, {len(pair.ours)} seeds" if len(pair.ours) > 1 else "1 seed"
    known = f"before {theirs.baseline_percent:g} %" if theirs.baseline_percent is not None else ""
    before = _before(point)
    ours = "; ".join(filter(None, (seeds, f"before {before:.2f} %" if before is not None else "")))
    apart = f"{pair.error - theirs.error_percent:+.2f}".replace("-", "−")
    smaller = f"{theirs.ratio:g}× [{theirs.trust}]" if theirs.ratio else "not stated"
    return [
        (f"{pair.notebook} {theirs.method}", f"{references.short(theirs.paper)}, {theirs.network}"),
        (theirs.shown("error_percent"), known),
        (f"{pair.error:.2f} %", ours),
        (apart, f"± {pair.noise:.2f}"),
        (smaller, f"ours {_smaller(pair):.1f}×"),
        (pair.verdict, pair.why),
        (point.key, title(point)),
    ]


def _before(point) -> float | None:
    """Return the test error of the network that a point starts from, in percent; None where it starts from nothing."""
    if point.start != "checkpoint":
        return None
    return 100 * (1 - zoo.card(point.network, point.data, point.variant)["accuracy"]["test"])


def _smaller(pair: Pair) -> float:
    """Return how many times fewer bytes our file has than the float32 file of the same network."""
    point = pair.ours[0].point
    data = datasets.load(point.data)
    dense = _bytes(point.network, data.image_shape, len(data.classes))
    return dense * len(pair.ours) / sum(entry.result["bytes"] for entry in pair.ours)


@functools.lru_cache(maxsize=16)
def _bytes(network: str, shape: tuple[int, int, int], classes: int) -> int:
    return storage.size(zoo.build(network, shape, classes)).total


def _runs() -> dict[str, list[Entry]]:
    """Group the entries of all results by the key of their point as of seed 0."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in results.every():
        found[replace(entry.point, seed=0).key].append(entry)
    return found


def _pair(one: dict, runs: dict[str, list[Entry]]) -> Pair:
    one = checked(one, _PAIR, ("notebook", "theirs", "ours"), "a pair")
    asked = checked(one["theirs"], _THEIRS, ("paper",), "theirs")
    error = asked.pop("error_percent", None)
    rows = [row for row in published.rows(**asked) if row.error_percent is not None]
    rows = [row for row in rows if error in (None, row.error_percent)]
    if len(rows) != 1:
        raise ValueError(f"theirs = {one['theirs']} picks {len(rows)} rows with an error, but must pick one")
    if one["ours"] not in runs:
        raise ValueError(f"ours = {one['ours']!r} is the key of no point in data/results: sweep again")
    return Pair(
        one["notebook"],
        rows[0],
        tuple(sorted(runs[one["ours"]], key=lambda entry: entry.point.seed)),
        one.get("why", ""),
    )
