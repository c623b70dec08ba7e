"""Every paper that the lab names is in references.bib, and references.bib is sound BibTeX."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import labkit
from labkit.methods import Method

ROOT = Path(__file__).resolve().parents[1]
BIB = (ROOT / "references.bib").read_text(encoding="utf-8")
ENTRY = re.compile(r"^@(article|inproceedings|misc|book)\{([a-z]+\d{4}[a-z]*),\n((?:  [a-z]+ = \{.+\},\n)+)\}$", re.M)
FIELD = re.compile(r"^  ([a-z]+) = \{(.+)\},$", re.M)
ENTRIES = {key: (kind, dict(FIELD.findall(body))) for kind, key, body in ENTRY.findall(BIB)}
# Surname 2015, Surname et al. 2015, Surname and Other 2015: how docstrings and comments name a paper.
NAMED = re.compile(r"\b([A-Z][A-Za-z]*[a-z])(?: et al\.| and [A-Z][a-z]+)? \(?((?:19|20)\d\d)\b")
NO_NAMES = {"In", "Since", "Until", "January", "November"}


def sources() -> list[Path]:
    return sorted([*ROOT.glob("labkit/**/*.py"), *ROOT.glob("notebooks/source/*.py"), ROOT / "README.md"])


def all_methods() -> list[type[Method]]:
    for module in pkgutil.walk_packages(labkit.__path__, "labkit."):
        if not module.name.startswith(("labkit.live", "labkit.course", "labkit.__main__")):
            importlib.import_module(module.name)
    found, todo = [], [Method]
    while todo:
        kinds = todo.pop().__subclasses__()
        todo += kinds
        found += [kind for kind in kinds if kind.__module__.startswith("labkit.") and hasattr(kind, "paper")]
    return found


def test_every_line_of_the_bibliography_is_understood():
    assert len(ENTRIES) == len(re.findall("^@", BIB, re.M)), "a key that comes twice, or an entry with another layout"
    left = ENTRY.sub("", BIB)
    assert [line for line in left.splitlines() if line and not line.startswith("% ")] == []
    assert BIB.count("{") == BIB.count("}")


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_has_what_a_reference_needs(key):
    kind, fields = ENTRIES[key]
    place = {"article": "journal", "inproceedings": "booktitle", "misc": "eprint", "book": "publisher"}[kind]
    assert {"author", "title", "year", place} <= set(fields)
    assert fields["year"] == re.search(r"\d{4}", key)[0]
    first = fields["author"].split(",")[0]
    assert re.match(r"[a-z]+", key)[0] == re.sub(r"[^a-z]", "", first.lower().split()[-1])
    assert all(len(name.split(", ")) == 2 for name in fields["author"].split(" and ")), "authors are 'Surname, Given'"
    assert re.fullmatch(r"\d{4}\.\d{4,5}", fields.get("eprint", "0000.0000"))
    assert re.fullmatch(r"10\.\d{4,}/\S+", fields.get("doi", "10.0000/x"))


def test_no_paper_is_listed_twice():
    for name in ("title", "doi", "eprint"):
        values = [fields[name].lower() for _, fields in ENTRIES.values() if name in fields]
        assert len(values) == len(set(values))


def test_every_method_names_a_paper_that_is_listed():
    methods = all_methods()
    assert len(methods) >= 3
    assert {method.__name__: method.paper for method in methods if method.paper not in ENTRIES} == {}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_paper_named_in_words_is_listed(path):
    named = {name.lower() + year for name, year in NAMED.findall(path.read_text()) if name not in NO_NAMES}
    cited = set(re.findall(r"\[@([\w-]+)\]", path.read_text()))
    assert sorted((named | cited) - set(ENTRIES)) == []
