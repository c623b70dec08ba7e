"""What the drawings of a picture share that a learner moves by hand: controls, pictures, tiles and answers."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence

import ipywidgets
import numpy as np
import torch
from IPython import display
from PIL import Image
from torch import Tensor, nn

from labkit.data import Data
from labkit.live.watch import Drawing

TILE = 84  # pixels of a small picture
PAGE = 830  # pixels: so wide is a cell of JupyterLab


def by_hand(controls: Sequence[ipywidgets.ValueWidget], draw: Callable[..., Drawing]) -> ipywidgets.VBox:
    """Show controls in a row above what `draw` makes of their values, anew each time that one is moved."""
    picture = ipywidgets.HTML()

    def show(change: object = None) -> None:
        picture.value = draw(*(control.value for control in controls))._repr_html_()

    for control in controls:
        control.observe(show, "value")
    show()
    whole = ipywidgets.VBox([ipywidgets.HBox(controls), picture])
    display.display(whole)
    return whole


def first_of_each_class(data: Data) -> Iterator[tuple[str, int]]:
    """Yield the name of each class with the index of its first validation picture."""
    labels = data.validation.labels
    for index, name in enumerate(data.classes):
        yield name, int((labels == index).nonzero()[0])


@torch.no_grad()
def answer(model: nn.Module, image: Tensor, classes: tuple[str, ...]) -> str:
    """Say what a network answers for a picture (1, channels, height, width), and how sure it is."""
    share, index = model.eval()(image).softmax(1)[0].max(0)
    return f"{classes[int(index)]} ({100 * float(share):.0f} %)"


def tile(picture: Tensor, left: float, top: float, black: float, white: float, side: int = TILE) -> str:
    """Draw a small grey picture (height, width), black and white at these numbers."""
    share = ((picture - black) / ((white - black) or 1.0)).clamp(0, 1)
    grey = Image.fromarray((255 * share).round().numpy().astype(np.uint8))
    content = io.BytesIO()
    grey.save(content, "PNG")
    source = base64.b64encode(content.getvalue()).decode()
    return (
        f'<image x="{left:.1f}" y="{top:.1f}" width="{side}" height="{side}" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{source}"/>'
    )
