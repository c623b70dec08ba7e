"""From a master (percent-format Python) to the three notebooks that it holds.

A cell's header may say `name="..."`, which becomes its id, and `points=2`, which makes it count in
nbgrader. An exercise is a function whose body lies between `### BEGIN SOLUTION` and
`### END SOLUTION`; `### BEGIN HIDDEN TESTS` and `### END HIDDEN TESTS` mark what only the teacher runs.

    student    stubs for solutions, no hidden tests        committed
    solution   everything, without the marks               build/solution
    nbgrader   everything, with nbgrader's metadata        build/nbgrader/source
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jupytext

from labkit import references

FORMS = ("student", "solution", "nbgrader")
STUB = ("# your code here", "raise NotImplementedError")
MARKS = ("SOLUTION", "HIDDEN TESTS")
_LIKE_A_MARK = re.compile(r"\s*#.*\b(begin|end)\b.*(solution|hidden)", re.IGNORECASE)
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# nbformat wants these; nothing that changes with the machine or the version may stand here.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class MasterError(ValueError):
    """A master cannot be built; the message names the file, the cell and what to do."""


@dataclass(frozen=True)
class Cell:
    """One cell of a master: its name (the id in every notebook), kind, text and points."""

    name: str
    kind: str  # "markdown" or "code"
    source: str
    points: int = 0


def read(path: Path) -> list[Cell]:
    """Return the cells of a master; raise MasterError for names that are no ids or come twice."""
    cells: list[Cell] = []
    for number, cell in enumerate(jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells):
        name = cell.metadata.get("name", f"cell-{number:02d}")
        if not _NAME.fullmatch(name) or any(name == other.name for other in cells):
            raise MasterError(f"{path}: cell {number} needs a name of its own of letters, digits and -, not {name!r}")
        cells.append(Cell(name, cell.cell_type, cell.source, cell.metadata.get("points", 0)))
        _check_marks(path, cells[-1])
    return cells


def build(path: Path, form: str) -> str:
    """Return a notebook's file, built from its master in one of the three forms."""
    if form not in FORMS:
        raise ValueError(f"form is {form!r}, but must be one of {', '.join(FORMS)}")
    cells = read(path)
    cited = [key for cell in cells if cell.kind == "markdown" for key in references.keys(cell.source)]
    built = [_build_cell(cell, form, list(dict.fromkeys(cited))) for cell in cells]
    whole = {"cells": built, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _build_cell(cell: Cell, form: str, cited: list[str]) -> dict:
    source = cell.source
    if cell.kind == "markdown":
        source = references.fill(source, cited)
    elif form == "student":
        source = _replace(_replace(source, "SOLUTION", STUB), "HIDDEN TESTS", ())
    elif form == "solution":
        source = "\n".join(line for line in source.splitlines() if not _is_mark(line))
    lines = source.strip("\n").splitlines(keepends=True)
    built = {"cell_type": cell.kind, "id": cell.name, "metadata": {}, "source": lines}
    if cell.kind == "code":
        built |= {"execution_count": None, "outputs": []}
    if form == "nbgrader" and (cell.points or "### BEGIN SOLUTION" in source):
        built["metadata"] = {"nbgrader": _nbgrader(cell)}
    return built


def _nbgrader(cell: Cell) -> dict:
    """The metadata by which nbgrader knows a solution (editable) or a test (locked, with points)."""
    test = bool(cell.points)
    about = {"grade_id": cell.name, "grade": test, "locked": test, "solution": not test, "task": False}
    return about | {"schema_version": 3} | ({"points": cell.points} if test else {})


def _is_mark(line: str) -> bool:
    return line.strip() in {f"### {end} {mark}" for end in ("BEGIN", "END") for mark in MARKS}


def _replace(source: str, mark: str, stub: tuple[str, ...]) -> str:
    """Put a stub, indented alike, in the place of each region."""
    return "\n".join(_replaced_lines(source, mark, stub))


def _replaced_lines(source: str, mark: str, stub: tuple[str, ...]) -> Iterator[str]:
    inside = False
    for line in source.splitlines():
        if line.strip() == f"### BEGIN {mark}":
            inside = True
            indent = line[: len(line) - len(line.lstrip())]
            yield from (indent + text for text in stub)
        elif line.strip() == f"### END {mark}":
            inside = False
        elif not inside:
            yield line


def _check_marks(path: Path, cell: Cell) -> None:
    """Raise MasterError where a mark is misspelt, open or out of place: an answer would leak."""

    def refuse(why: str) -> None:
        raise MasterError(f"{path}: cell {cell.name} {why}")

    lines = [line for line in cell.source.splitlines() if _LIKE_A_MARK.match(line)]
    if lines and cell.kind != "code":
        refuse("is text, but solutions and hidden tests belong in a code cell")
    for opening, closing in itertools.zip_longest(lines[::2], lines[1::2], fillvalue=""):
        if (opening.strip(), closing.strip()) not in {(f"### BEGIN {mark}", f"### END {mark}") for mark in MARKS}:
            refuse(
                f"must close every ### BEGIN with its ### END, spelt so: {opening.strip()!r} and {closing.strip()!r}"
            )
        if "SOLUTION" in opening and not opening.startswith(" "):
            refuse("must have its solution as the body of a function, so that the stub may raise there")
    if cell.points and "### BEGIN HIDDEN TESTS" not in cell.source:
        refuse("has points, but no ### BEGIN HIDDEN TESTS to earn them")
