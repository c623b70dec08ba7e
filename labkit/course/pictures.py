"""What the drawings of a picture share that a learner moves by hand: which pictures there are, tiles, and answers."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from labkit.data import Data

TILE = 84  # pixels of a small picture
PAGE = 830  # pixels: so wide is a cell of JupyterLab


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
