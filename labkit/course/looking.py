"""Where networks look: the attention maps of a teacher and of its students on one picture."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets
from torch import Tensor, nn

from labkit import data as datasets
from labkit.course.pictures import PAGE, TILE, answer, by_hand, first_of_each_class, tile
from labkit.distillation.attention import KINDS, attention_loss, attention_map
from labkit.inside import last_of_each_size, last_of_same_size, maps
from labkit.live.shapes import QUIET, card, page, text
from labkit.live.watch import Drawing

LEFT, TOP, STEP = 190, 40, 128  # where the maps of the first network begin, and how far rows are apart
MOST = 4  # maps in a row


def look_by_hand(teacher: nn.Module, students: Mapping[str, nn.Module], data: str = "FashionMNIST") -> ipywidgets.VBox:
    """Show where a teacher and its students (by name) look on a picture that is chosen, with one of three maps.

    Raises ValueError where a student has no maps as high and as wide as the teacher's.
    """
    pictures = datasets.load(data)
    for name, student in students.items():
        if not last_of_same_size(student, teacher, pictures.image_shape)[0]:
            raise ValueError(f"{name!r} has no maps as high and as wide as the teacher's, so they cannot be compared")
    which = ipywidgets.Dropdown(options=list(first_of_each_class(pictures)), description="picture")
    kind = ipywidgets.Dropdown(options=KINDS, value="power", description="map")

    def drawn(index: int, kind: str) -> Drawing:
        image = pictures.normalise(pictures.validation.images[index : index + 1])
        return draw(teacher, students, image, kind, pictures.classes)

    return by_hand((which, kind), drawn)


def draw(
    teacher: nn.Module, students: Mapping[str, nn.Module], image: Tensor, kind: str, classes: tuple[str, ...]
) -> Drawing:
    """Draw a picture (1, channels, height, width), and each network's attention maps of it in a row."""
    shape = tuple(image.shape[1:])
    rows = {"teacher": maps(teacher, last_of_each_size(teacher, shape), image)}
    losses = {}
    for name, student in students.items():
        ours, theirs = last_of_same_size(student, teacher, shape)
        rows[name] = maps(student, ours, image)
        told = maps(teacher, theirs, image)
        losses[name] = [
            float(attention_loss([one], [other], kind)) for one, other in zip(rows[name], told, strict=True)
        ]
    drawn = [
        text(20, 26, f'Where each network looks ("{kind}", white is strong)', 15, weight=700),
        tile(image[0, 0], 20, TOP + 26, *map(float, image.aminmax())),
        text(20, TOP + 26 + TILE + 18, "the picture", 12, QUIET),
    ]
    for index, (name, model) in enumerate({"teacher": teacher, **students}.items()):
        top = TOP + index * STEP
        drawn.append(card(LEFT - 50, top, PAGE - LEFT + 40, STEP - 8))
        drawn.append(text(LEFT - 36, top + 48, name, 13, weight=600))
        drawn.append(text(LEFT - 36, top + 68, answer(model, image, classes), 12, QUIET))
        drawn += _row(rows[name], losses.get(name), kind, LEFT + 130, top + 6)
    said = [f"{name}: distance to the teacher {sum(found):.2f}" for name, found in losses.items()]
    sentence = f'Attention maps "{kind}" of one picture. {"; ".join(said)}.'
    return Drawing(page(drawn, sentence, TOP + STEP * len(rows) + 10, PAGE), sentence)


def _row(found: list[Tensor], losses: list[float] | None, kind: str, left: float, top: float) -> list[str]:
    """Draw the attention maps of one network, with the distance of each to the teacher's below."""
    drawn = []
    for place, one in enumerate(found[:MOST]):
        looks, x = attention_map(one, kind)[0], left + place * (TILE + 40)
        drawn.append(tile(looks, x, top, 0.0, float(looks.max())))
        under = f"{looks.shape[0]} x {looks.shape[1]}" if losses is None else f"distance {losses[place]:.3f}"
        drawn.append(text(x, top + TILE + 16, under, 11, QUIET))
    return drawn
