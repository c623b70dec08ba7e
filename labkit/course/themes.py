"""The survey's map of methods as a picture: its themes, and which notebook teaches which."""

from __future__ import annotations

import html
from dataclasses import dataclass

WIDTH, ROW, GAP, TOP = 840, 54, 8, 34
THEME_WIDTH, LEAF_X = 262, 300
TEXT = "var(--jp-content-font-color1,currentColor)"
BLUE, ORANGE = "#0072B2", "#E69F00"


@dataclass(frozen=True)
class Leaf:
    """What one notebook teaches, in a few words, and the slider that it has here already."""

    notebook: str
    title: str
    idea: str
    slider: str = ""


@dataclass(frozen=True)
class Theme:
    """A theme of the survey: its section, and what it starts from (table I)."""

    title: str
    section: str
    start: str
    leaves: tuple[Leaf, ...]


THEMES = (
    Theme(
        "Pruning and sharing",
        "section II",
        "trained network, or from scratch",
        (
            Leaf("01", "Quantization and binarization", "fewer bits for each weight, few shared values", "bits"),
            Leaf("02", "Pruning and sharing", "drop the weights that the output hardly feels", "sparsity"),
            Leaf("03", "Structured matrices", "one short vector makes a whole matrix", "structure"),
        ),
    ),
    Theme(
        "Low-rank factorization",
        "section III",
        "trained network, or from scratch",
        (Leaf("04", "Low-rank factorization", "one large matrix as a product of thin ones", "rank"),),
    ),
    Theme(
        "Transferred, compact filters",
        "section IV",
        "from scratch only",
        (Leaf("05", "Transferred and compact filters", "turn, mirror or split filters, store fewer", "copies"),),
    ),
    Theme(
        "Knowledge distillation",
        "section V",
        "from scratch only",
        (Leaf("06", "Knowledge distillation", "a small network learns from a large one", "width"),),
    ),
    Theme(
        "Other approaches",
        "section VI",
        "beyond the four themes",
        (Leaf("07", "Dynamic networks, fast convolution", "compute only what this picture needs"),),
    ),
    Theme(
        "Evaluation",
        "section VII",
        "all of the above",
        (
            Leaf("08", "Benchmarks", "all methods side by side, on one frontier", "any"),
            Leaf("09", "Capstone", "combine them, and meet your own budget"),
        ),
    ),
)


class SurveyMap:
    """A picture in Jupyter, and the same in words elsewhere."""

    def __repr__(self) -> str:
        lines = ["The survey's map of methods."]
        for theme in THEMES:
            lines.append(f"{theme.title} ({theme.section}; starts from: {theme.start})")
            for leaf in theme.leaves:
                slider = f" [slider in this notebook: {leaf.slider}]" if leaf.slider else ""
                lines.append(f"  {leaf.notebook} {leaf.title}: {leaf.idea}{slider}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return svg()


def survey_map() -> SurveyMap:
    """Return the survey's map, which shows itself.

    >>> print(survey_map())  # doctest: +ELLIPSIS
    The survey's map of methods.
    Pruning and sharing (section II; starts from: trained network, or from scratch)
      01 Quantization and binarization: fewer bits for each weight, few shared values [slider in this notebook: bits]
    ...
    """
    return SurveyMap()


def svg() -> str:
    """Return the map as inline SVG: it takes the page's own text colour, and has a text alternative."""
    parts = [
        _text(0, 20, "Theme, and what it starts from", 14),
        _text(LEAF_X, 20, "Notebook that teaches it", 14),
        _text(WIDTH - 4, 20, "Slider in this notebook", 14, anchor="end"),
    ]
    y = TOP
    for theme in THEMES:
        parts.append(_theme(theme, y))
        for leaf in theme.leaves:
            parts.append(_leaf(leaf, y))
            y += ROW + GAP
    words = html.escape(repr(SurveyMap()))
    return (
        f'<svg class="labkit-survey-map" role="img" aria-labelledby="labkit-map-title labkit-map-words" '
        f'viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" style="max-width:100%;height:auto;'
        f'font-family:var(--jp-content-font-family,sans-serif)">'
        f'<title id="labkit-map-title">The survey\'s map of methods</title><desc id="labkit-map-words">{words}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _theme(theme: Theme, y: int) -> str:
    height = len(theme.leaves) * (ROW + GAP) - GAP
    middle = y + height / 2
    lines = [
        _box(0, y, THEME_WIDTH, height, f'fill="{BLUE}" fill-opacity="0.13" stroke="{BLUE}"'),
        _text(14, middle - 4, theme.title, 15, bold=True),
        _text(14, middle + 17, theme.start, 14),
    ]
    for index in range(len(theme.leaves)):
        end = y + index * (ROW + GAP) + ROW / 2
        bend = (THEME_WIDTH + LEAF_X) / 2
        path = f"M{THEME_WIDTH} {middle} C{bend} {middle} {bend} {end} {LEAF_X} {end}"
        lines.append(f'<path d="{path}" fill="none" stroke="{BLUE}" stroke-width="2"/>')
    return "".join(lines)


def _leaf(leaf: Leaf, y: int) -> str:
    parts = [
        _box(LEAF_X, y, WIDTH - LEAF_X, ROW, 'fill="none" stroke="#7A8594"'),
        _text(LEAF_X + 14, y + 34, leaf.notebook, 20, bold=True),
        _text(LEAF_X + 54, y + 22, leaf.title, 15, bold=True),
        _text(LEAF_X + 54, y + 43, leaf.idea, 14),
    ]
    if leaf.slider:
        x, middle = WIDTH - 108, y + ROW / 2
        parts.append(f'<path d="M{x} {middle + 10}h92" stroke="{ORANGE}" stroke-width="3" stroke-linecap="round"/>')
        parts.append(f'<circle cx="{x + 46}" cy="{middle + 10}" r="7" fill="{ORANGE}"/>')
        parts.append(_text(x + 46, middle - 6, leaf.slider, 14, bold=True, anchor="middle"))
    return "".join(parts)


def _box(x: float, y: float, width: float, height: float, look: str) -> str:
    return f'<rect x="{x + 1}" y="{y + 1}" width="{width - 2}" height="{height - 2}" rx="8" {look}/>'


def _text(x: float, y: float, words: str, size: int, bold: bool = False, anchor: str = "start") -> str:
    look = f'font-size="{size}" text-anchor="{anchor}" fill="{TEXT}"' + (' font-weight="600"' if bold else "")
    return f'<text x="{x}" y="{y}" {look}>{html.escape(words)}</text>'
