"""Citations: a key of references.bib as "Han 2015" in a text, or as the whole reference."""

from __future__ import annotations

import functools
import re
from pathlib import Path

BIBLIOGRAPHY = Path(__file__).resolve().parents[1] / "references.bib"
PLACE = "{references}"
_CITATION = re.compile(r"\[@([\w:-]+)\]")
_ENTRY = re.compile(r"^@\w+\{\s*([\w:-]+)\s*,(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(\w+)\s*=\s*(?:\{(.*?)\}|\"(.*?)\"|(\d+))\s*,?\s*$", re.MULTILINE | re.DOTALL)


@functools.cache
def bibliography(path: Path = BIBLIOGRAPHY) -> dict[str, dict[str, str]]:
    """Read the fields of every entry of a BibTeX file, in which each field begins a line."""
    found = {}
    for key, body in _ENTRY.findall(path.read_text(encoding="utf-8")):
        found[key] = {name.lower(): _plain("".join(value)) for name, *value in _FIELD.findall(body)}
    return found


def keys(text: str) -> list[str]:
    """List the keys cited in a text, in their order.

    >>> keys("Pruning [@han2015] and more [@gong2014].")
    ['han2015', 'gong2014']
    """
    return _CITATION.findall(text)


def fill(text: str, cited: list[str]) -> str:
    """Put each citation of a text in brackets, and in its place for references the list of all `cited`."""
    text = _CITATION.sub(lambda match: f"({short(match[1])})", text)
    return text.replace(PLACE, "\n".join(f"- {full(key)}" for key in cited))


def short(key: str) -> str:
    """Return the name that a text uses: first author's surname and year."""
    fields = entry(key)
    return f"{_authors(fields)[0].split(',')[0]} {fields['year']}"


def full(key: str) -> str:
    """Return the whole reference as one line of Markdown, with a link where there is a DOI or an address."""
    people, title, where, link = parts(key)
    return f"{people}: {f'[{title}]({link})' if link else title}. {where}."


def parts(key: str) -> tuple[str, str, str, str]:
    """Return a reference's authors, title, place with year, and link ("" where there is none).

    >>> parts("han2015")[2].endswith("2015")
    True
    """
    fields = entry(key)
    authors = [" ".join(reversed(name.split(", "))) for name in _authors(fields)]
    paper = fields.get("eprint")
    where = fields.get("journal") or fields.get("booktitle") or (f"arXiv {paper}" if paper else "")
    link = fields.get("url") or (f"https://doi.org/{fields['doi']}" if "doi" in fields else "")
    link = link or (f"https://arxiv.org/abs/{paper}" if paper else "")
    people = ", ".join(authors[:4]) + (" and others" if len(authors) > 4 else "")
    return people, fields["title"], f"{where + ', ' if where else ''}{fields['year']}", link


def entry(key: str) -> dict[str, str]:
    """Return the fields of one entry; raise ValueError where it is missing or has no author, title or year."""
    known = bibliography()
    if key not in known:
        raise ValueError(f"reference {key!r} is not in references.bib: add it, or cite one of {', '.join(known)}")
    missing = {"author", "title", "year"} - known[key].keys()
    if missing:
        raise ValueError(f"reference {key!r} in references.bib has no {' and no '.join(sorted(missing))}: add it")
    return known[key]


def _authors(fields: dict[str, str]) -> list[str]:
    """List the authors as "Surname, First names", which BibTeX also takes as "First names Surname"."""
    names = []
    for name in re.split(r"\s+and\s+", fields["author"]):
        first, _, last = name.rpartition(" ")
        names.append(name if "," in name or not first else f"{last}, {first}")
    return names


def _plain(value: str) -> str:
    """Drop BibTeX's braces and line breaks."""
    return " ".join(value.replace("{", "").replace("}", "").replace("--", "–").split())
