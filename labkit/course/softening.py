"""A teacher's answer for one picture, softened by hand: what a student is told at each temperature."""

from __future__ import annotations

import ipywidgets
import torch
from torch import Tensor, nn

from labkit import data as datasets
from labkit import zoo
from labkit.course.pictures import PAGE, by_hand, first_of_each_class, tile
from labkit.data import Data
from labkit.distillation.losses import soften
from labkit.live.shapes import DATA, FINGER, INK, QUIET, card, line, page, text
from labkit.live.watch import Drawing
from labkit.measure import outputs

TEMPERATURES = (0.5, 1, 1.5, 2, 3, 4, 6, 8, 10, 20, 50, 100)
SIDE, LEFT, TOP, ROW = 140, 300, 50, 24  # of the picture, and where its bars begin
HEIGHT, LONG = 320, 410  # of the page, and of a bar of 100 %


def soften_by_hand(teacher: str = "VGG", data: str = "FashionMNIST") -> ipywidgets.VBox:
    """Open a slider for the temperature of a trained network's answers, for easy and for hard pictures.

    Raises what `zoo.load` raises for a network that does not exist.
    """
    pictures, network = datasets.load(data), zoo.load(teacher, data)
    heat = ipywidgets.SelectionSlider(
        options=[(f"{one:g}", one) for one in TEMPERATURES],
        value=1,
        description="temperature T",
        style={"description_width": "initial"},
        layout={"width": "420px"},
    )
    which = ipywidgets.Dropdown(options=list(pictures_of(network, pictures)), description="picture")

    def drawn(temperature: float, index: int) -> Drawing:
        image = pictures.validation.images[index : index + 1]
        label = int(pictures.validation.labels[index])
        return draw(outputs(network, pictures, image)[0], image[0, 0], label, temperature, pictures.classes)

    return by_hand((heat, which), drawn)


def pictures_of(network: nn.Module, data: Data, among: int = 1000) -> list[tuple[str, int]]:
    """List for each class its first validation picture, after the one of the first so many that is hardest.

    The hardest is the one whose answer has the most entropy.
    """
    labels = data.validation.labels[:among]
    entropy = torch.special.entr(outputs(network, data, data.validation.images[:among]).softmax(1)).sum(1)
    unsure = [
        (f"{name}, hard", int(entropy.where(labels == index, -1.0).argmax())) for index, name in enumerate(data.classes)
    ]
    return unsure + list(first_of_each_class(data))


def draw(answer: Tensor, picture: Tensor, label: int, temperature: float, classes: tuple[str, ...]) -> Drawing:
    """Draw a picture (height, width, uint8) beside its soft targets, from logits (classes,)."""
    shares, sharp = (soften(answer[None], heat)[0] for heat in (temperature, 1.0))
    # The first terms of exp(v / T): what is left at a high temperature is the logits themselves.
    linear = (1 + (answer - answer.mean()) / temperature) / len(answer)
    bits = float(torch.special.entr(shares).sum()) / torch.log(torch.tensor(2.0))
    drawn = [
        text(20, 26, f"The teacher's answer at T = {temperature:g}", 15, weight=700),
        card(10, TOP - 10, SIDE + 20, SIDE + 50),
        tile(picture.float(), 20, TOP, 0, 255, SIDE),
        text(20, TOP + SIDE + 24, f"label: {classes[label]}", 13),
        text(20, TOP + SIDE + 62, f"entropy {bits:.2f} bits", 13),
        text(20, TOP + SIDE + 80, f"of {torch.log2(torch.tensor(float(len(answer)))):.2f} at most", 12, QUIET),
    ]
    for index, name in enumerate(classes):
        drawn += _bar(name, TOP + index * ROW, float(shares[index]), float(sharp[index]), float(linear[index]))
    legend = TOP + len(classes) * ROW + 14
    drawn.append(text(LEFT, legend, "bar: probability · outline: the same at T = 1 ·", 11, QUIET))
    drawn.append(text(LEFT + 268, legend, "| 1/k + (v − mean v) / (k T), its limit at high T", 11, QUIET))
    order = shares.argsort(descending=True)[:3].tolist()
    said = ", ".join(f"{classes[index]} {100 * float(shares[index]):.1f} %" for index in order)
    sentence = f"A {classes[label]}, softened at temperature {temperature:g}: {said}. Entropy {bits:.2f} bits."
    return Drawing(page(drawn, sentence, HEIGHT, PAGE), sentence)


def _bar(name: str, top: float, share: float, sharp: float, linear: float) -> list[str]:
    """A bar for one class, the outline of its answer at T = 1, and a stroke where the limit puts it."""
    box = f'x="{LEFT}" y="{top}" height="{ROW - 8}"'
    visible = linear if 0 <= linear <= 1 else 0.0
    drawn = [
        text(LEFT - 8, top + 12, name, 12, INK, "end"),
        f'<rect {box} width="{LONG * share:.1f}" fill="{DATA}"/>',
        f'<rect {box} width="{LONG * sharp:.1f}" fill="none" stroke="{QUIET}"/>',
        text(LEFT + LONG * max(share, sharp, visible) + 8, top + 12, f"{100 * share:.1f} %", 12),
    ]
    if visible:
        drawn.append(line(LEFT + LONG * visible, top - 2, LEFT + LONG * visible, top + ROW - 6, FINGER, 3))
    return drawn
