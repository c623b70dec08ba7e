"""The survey's map: a picture for who sees it, the same words for who does not."""

import re
from xml.etree import ElementTree

from labkit.course import survey_map, themes
from labkit.course.build import ROOT

NAME = "{http://www.w3.org/2000/svg}"
LEAVES = [leaf for theme in themes.THEMES for leaf in theme.leaves]


def drawing():
    return ElementTree.fromstring(themes.svg().replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def test_picture_and_words_say_the_same():
    root, words = drawing(), repr(survey_map())
    shown = {text.text for text in root.iter(f"{NAME}text")}
    for leaf in LEAVES:
        assert {leaf.notebook, leaf.title, leaf.idea} <= shown
        assert f"{leaf.notebook} {leaf.title}: {leaf.idea}" in words
    assert root.find(f"{NAME}desc").text == words and root.get("role") == "img"
    assert set(root.get("aria-labelledby").split()) == {
        root.find(f"{NAME}{name}").get("id") for name in ("title", "desc")
    }


def test_it_is_readable_at_1000_pixels_and_takes_the_themes_text_colour():
    texts = list(drawing().iter(f"{NAME}text"))
    assert min(float(text.get("font-size")) for text in texts) >= 13
    assert themes.WIDTH <= 1000 - 150  # what JupyterLab takes for prompt, scroll bar and side bar
    assert {text.get("fill") for text in texts} == {themes.TEXT} and "var(--jp" in themes.TEXT


def test_notebooks_are_numbered_as_their_masters():
    assert [leaf.notebook for leaf in LEAVES] == [f"{number:02d}" for number in range(1, 10)]
    masters = (ROOT / "notebooks" / "source").glob("*.py")
    assert {re.match(r"\d\d", path.name)[0] for path in masters} <= {"00"} | {leaf.notebook for leaf in LEAVES}
