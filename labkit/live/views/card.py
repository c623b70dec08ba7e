"""A method's card: what it does in two sentences, its equation, what it stores, its drawback, its paper."""

from __future__ import annotations

import functools

from latex2mathml.converter import convert

from labkit import references
from labkit.methods import Method


def card(method: Method, kept: tuple[str, ...]) -> dict:
    """Return the card as plain data; `kept` are the methods applied before."""
    fields = ("title", "idea", "stores", "drawback")
    about = {name: getattr(method, name) for name in fields}
    return about | {"equation": equation(method.equation), "paper": paper(method.paper), "kept": list(kept)}


@functools.cache
def equation(latex: str) -> str:
    """Turn LaTeX into MathML, which browsers draw without a network; what cannot be turned stays as it is.

    >>> equation("r < 2").startswith("<math")
    True
    """
    try:
        return convert(latex)
    except Exception:  # a card with a plain formula is better than a panel without a card
        return latex


@functools.cache
def paper(key: str) -> dict[str, str]:
    """Return the reference and its link; a key that references.bib does not have stands for itself."""
    try:
        people, title, where, link = references.parts(key)
    except ValueError:
        return {"text": key, "link": ""}
    return {"text": f"{people}: {title}. {where}.", "link": link}
