"""The card says what the method's fields and references.bib say, and never stops a panel."""

from xml.etree import ElementTree

import pytest

from labkit.live.views.card import card, equation, paper
from labkit.lowrank import SVD
from labkit.pruning import Magnitude
from labkit.quantization import KMeans


@pytest.mark.parametrize("method", [SVD(), Magnitude(), KMeans()], ids=lambda method: method.title)
def test_the_equation_is_well_formed_mathml(method):
    shown = card(method, ("before",))
    assert ElementTree.fromstring(shown["equation"]).tag.endswith("math")
    assert shown["title"] == method.title and shown["kept"] == ["before"]
    assert shown["paper"]["text"].endswith(f"{method.paper[-4:]}.") and shown["paper"]["link"].startswith("https://")


def test_what_cannot_be_turned_stays_as_it_is(monkeypatch):
    def refuse(latex):
        raise ValueError("no such command")

    monkeypatch.setattr("labkit.live.views.card.convert", refuse)
    assert equation(r"\unknown{x}") == r"\unknown{x}"
    assert paper("nobody1900") == {"text": "nobody1900", "link": ""}
