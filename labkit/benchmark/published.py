"""The numbers that the papers published, each with where it stands and how far it can be trusted.

The marks: S, read in the paper itself or in its authors' repository; S2, read in a source that
quotes it; M-H, M-M and M-L, recalled and not checked, with high, medium and low confidence. A
number is never shown without its mark.
"""

from __future__ import annotations

import csv
import functools
import math
from dataclasses import dataclass, fields
from pathlib import Path

from labkit import references
from labkit.data import ROOT

FILE = ROOT / "published.csv"
TRUST = ("S", "S2", "M-H", "M-M", "M-L")
UNITS = {
    "error_percent": " %",
    "baseline_percent": " %",
    "size_percent": " % of the size",
    "ratio": "×",
    "speedup": " times the speed",
    "kept_percent": " % of the weights",
    "weight_bits": " bits",
    "index_bits": " bits",
    "bytes": " bytes",
    "baseline_bytes": " bytes",
}


@dataclass(frozen=True)
class Published:
    """One row: errors in percent, sizes in bytes, `ratio` times smaller as the paper counts; None: not stated.

    The errors are top-1, unless `protocol` says "top-5". `speedup` says how many times faster, as the paper times it.
    `layer` is "" for the whole network. `stage` says after which steps of a pipeline ("prune",
    "prune+quantize", "prune+quantize+huffman"), `weight_bits` and `index_bits` what is stored for
    each weight that is left, `spread_percent` is the ± of the error.
    """

    paper: str
    method: str
    network: str
    data: str
    trust: str
    version: str = ""
    protocol: str = ""
    layer: str = ""
    stage: str = ""
    weights: float | None = None
    baseline_percent: float | None = None
    error_percent: float | None = None
    spread_percent: float | None = None
    kept_percent: float | None = None
    weight_bits: float | None = None
    index_bits: float | None = None
    size_percent: float | None = None
    baseline_bytes: float | None = None
    bytes: float | None = None
    ratio: float | None = None
    speedup: float | None = None
    table: str = ""
    page: str = ""
    note: str = ""

    def __post_init__(self):
        references.entry(self.paper)  # raises ValueError for a paper that is not listed
        if self.trust not in TRUST:
            raise ValueError(f"trust is {self.trust!r}, but must be one of {', '.join(TRUST)}")
        if not (self.method and self.network and self.data):
            raise ValueError("method, network and data must be given")
        if all(getattr(self, name) is None for name in UNITS):
            raise ValueError("the row states no number")

    @property
    def cited(self) -> str:
        """The method with its paper and its mark, as a plot names it."""
        return f"{self.method} ({references.short(self.paper)}) [{self.trust}]"

    def shown(self, column: str = "") -> str:
        """Return a number with its unit and its mark; the error, or else the first that the row states.

        Raises ValueError for a number that the row does not state.

        >>> Published("hou2017", "LAB", "MLP", "MNIST", "S", error_percent=1.17).shown()
        '1.17 % [S]'
        """
        column = column or next(name for name in UNITS if getattr(self, name) is not None)
        value = getattr(self, column) if column in UNITS else None
        if value is None:
            stated = ", ".join(name for name in UNITS if getattr(self, name) is not None)
            raise ValueError(f"the row states no {column!r}: it states {stated}")
        spread = f" ± {self.spread_percent:g}" if column == "error_percent" and self.spread_percent else ""
        return f"{f'{value:,.10g}'}{spread}{UNITS[column]} [{self.trust}]"


NUMBERS = [part.name for part in fields(Published) if part.type == "float | None"]


def read(file: Path = FILE) -> list[Published]:
    """Return all rows of the file; raise ValueError with the line of a mistake.

    >>> {row.trust for row in read()} <= set(TRUST)
    True
    """
    return list(_read(file, file.stat().st_mtime_ns))


@functools.lru_cache(maxsize=4)
def _read(file: Path, mtime_ns: int) -> tuple[Published, ...]:
    with open(file, newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream, strict=True)
        found = []
        try:
            if set(reader.fieldnames or ()) != {part.name for part in fields(Published)}:
                raise ValueError(f"its columns must be {', '.join(part.name for part in fields(Published))}")
            for row in reader:
                found.append(_row(row))
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{file}, line {reader.line_num}: {error}") from error
    return tuple(found)


def _row(row: dict[str, str]) -> Published:
    if None in row or None in row.values():
        raise ValueError("it has more or fewer cells than columns: quote a cell that has a comma")
    numbers = {name: float(row[name]) if row[name] else None for name in NUMBERS}
    for name, value in numbers.items():
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is {value}, but must be a number from 0 on")
    return Published(**row | numbers)


def rows(**columns: str) -> list[Published]:
    """Return the rows in which some columns have these values.

    >>> [row.shown() for row in rows(paper="han2016", table="1", network="LeNet-5")]
    ['0.74 % [S]']
    """
    known = [part.name for part in fields(Published)]
    for name in columns:
        if name not in known:
            raise ValueError(f"there is no column {name!r}: choose among {', '.join(known)}")
    return [row for row in read() if all(getattr(row, name) == value for name, value in columns.items())]


def on(network: str, data: str) -> list[Published]:
    """Return what was published of a whole network with both an error and a ratio: a place in the plot.

    >>> [row.cited for row in on("LeNet-5", "MNIST") if row.paper == "han2016"]
    ['Deep Compression (Han 2016) [S]']
    """
    found = rows(network=network, data=data, layer="")
    return [row for row in found if row.error_percent is not None and row.ratio is not None]
