"""The shapes of a still picture, as SVG."""

from __future__ import annotations

import math
from html import escape

WIDTH = 960
INK, QUIET, LINE, PAPER = "#1c2230", "#5c6675", "#e2e5ea", "#fafbfd"
DATA, FINGER, ORIGINAL, ENERGY = "#0072b2", "#e69f00", "#d55e00", "#8e3a80"


def clip(text: str, most: int) -> str:
    """Shorten a text at the end of a word."""
    return text if len(text) <= most else text[:most].rpartition(" ")[0] + " …"


def page(drawn: list[str], title: str, height: int, width: int = WIDTH) -> str:
    """Put shapes on a page, which says its title to who cannot see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif"><title>{escape(title)}</title>'
        f'<rect width="{width}" height="{height}" fill="white"/>{"".join(drawn)}</svg>'
    )


def card(x: float, y: float, width: float, height: float) -> str:
    """Draw the ground on which a view stands."""
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" rx="9" fill="{PAPER}" stroke="{LINE}"/>'


def text(x: float, y: float, words: str, size: int, colour: str = INK, anchor: str = "start", weight: int = 400) -> str:
    """Write words on a line."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str = LINE, width: float = 1) -> str:
    """Draw a straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def shape(x: float, y: float, corners: int, radius: float, colour: str) -> str:
    """Draw a star of so many corners; two make a diamond."""
    spots = []
    for index in range(2 * corners):
        angle = math.pi * (index / corners - 0.5)
        reach = radius if index % 2 == 0 else radius * (0.45 if corners > 2 else 0.8)
        spots.append(f"{x + reach * math.cos(angle):.1f},{y + reach * math.sin(angle):.1f}")
    return f'<polygon points="{" ".join(spots)}" fill="{colour}"/>'
