"""A picture turned by hand: the maps of a plain and of an equivariant network, and by how much each misses the rule."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets
import torch
from torch import Tensor, nn

from labkit import data as datasets
from labkit.course.pictures import PAGE, TILE, answer, by_hand, first_of_each_class, tile
from labkit.filters.equivariance import acted, maps, missed
from labkit.live.shapes import QUIET, card, page, text
from labkit.live.watch import Drawing
from labkit.rotated import turned

STEP = 15  # degrees
GAP, SHOWN = 6, 4  # pixels between maps, and how many there are in a row
TOP, HEIGHT = 150, 250  # of the cards


def turn_by_hand(
    networks: Mapping[str, tuple[nn.Module, int]], data: str = "MNIST-rotated", layers: tuple[str, ...] = ("relu2",)
) -> ipywidgets.VBox:
    """Open a slider that turns a picture, with the maps of each network below it.

    `networks` maps a name to a network and how many orientations its filters have, 1 for a plain one; `layers` are
    those that may be chosen. Raises ValueError for a layer that does not exist.
    """
    pictures = datasets.load(data)
    angle = ipywidgets.IntSlider(0, 0, 360, STEP, description="turn by °", layout={"width": "480px"})
    which = ipywidgets.Dropdown(options=list(first_of_each_class(pictures)), description="picture")
    layer = ipywidgets.Dropdown(options=layers, description="maps of")

    def drawn(degrees: float, index: int, layer: str) -> Drawing:
        image = pictures.normalise(pictures.validation.images[index : index + 1])
        return draw(networks, image, degrees, layer, pictures.classes)

    return by_hand((angle, which, layer), drawn)


def draw(
    networks: Mapping[str, tuple[nn.Module, int]], image: Tensor, degrees: float, layer: str, classes: tuple[str, ...]
) -> Drawing:
    """Draw a picture (1, channels, height, width), turned, and for each network what it makes of it."""
    now = turned(image, degrees)
    drawn = [
        text(20, 26, f"The picture, turned by {degrees:g}°", 15, weight=700),
        tile(now[0, 0], 20, 40, *map(float, image[0, 0].aminmax())),
    ]
    said = []
    for index, (name, (model, turns)) in enumerate(networks.items()):
        straight = maps(model, image, layer)
        rows = acted(straight, degrees, turns), maps(model, now, layer)
        error = missed(straight, *rows)
        answers = [answer(model, one, classes) for one in (image, now)]
        words = f"{name}: equivariance error {error:.1g}" if error < 0.01 else f"{name}: equivariance error {error:.2f}"
        said.append(f"{words}; upright it says {answers[0]}, turned {answers[1]}")
        drawn.append(text(140, 62 + 44 * index, f"{name} says upright: {answers[0]}, turned: {answers[1]}", 13))
        drawn += _maps(words, rows, turns, 20 + index * (PAGE - 30) / len(networks), (PAGE - 50) / len(networks))
    sentence = f"A picture turned by {degrees:g} degrees, maps of {layer}. {'. '.join(said)}."
    return Drawing(page(drawn, sentence, TOP + HEIGHT + 20, PAGE), sentence)


def _maps(title: str, rows: tuple[Tensor, Tensor], turns: int, left: float, width: float) -> list[str]:
    """Draw a few maps of the picture, turned afterwards, above the same maps of the turned picture."""
    strongest = rows[0][0].unflatten(0, (-1, turns)).square().sum((1, 2, 3)).argsort(descending=True)
    chosen = (strongest[:, None] * turns + torch.arange(turns)).flatten()[:SHOWN]
    black = min(float(row[0, chosen].min()) for row in rows)
    white = max(float(row[0, chosen].max()) for row in rows)
    drawn = [card(left, TOP, width, HEIGHT), text(left + 12, TOP + 24, title, 14, weight=600)]
    for index, (words, row) in enumerate(zip(("maps, then turned", "turned, then maps"), rows, strict=True)):
        y = TOP + 40 + index * (TILE + 22)
        drawn.append(
            text(left + 12, y + TILE + 14, f"{words}: T′ Φ(x)" if index == 0 else f"{words}: Φ(T x)", 11, QUIET)
        )
        drawn += [
            tile(row[0, one], left + 12 + place * (TILE + GAP), y, black, white) for place, one in enumerate(chosen)
        ]
    return drawn
