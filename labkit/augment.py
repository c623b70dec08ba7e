"""Pictures that are moved and mirrored at random, so that a network sees each of them only once."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from labkit.data import Split


def augment(batch: Split, shift: int, flip: bool, random: torch.Generator) -> Split:
    """Move each picture by up to `shift` pixels in each direction, and mirror half of them if `flip`.

    >>> picture = torch.tensor([[[[1, 2]]]], dtype=torch.uint8)
    >>> augment(Split(picture, torch.tensor([7])), 0, False, torch.Generator()).images.tolist()
    [[[[1, 2]]]]
    """
    images, count = batch.images, len(batch)
    height, width = images.shape[2:]
    if flip:
        mirrored = torch.rand(count, generator=random) < 0.5
        images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
    if shift:
        padded = F.pad(images, (shift, shift, shift, shift))
        down, right = torch.randint(0, 2 * shift + 1, (2, count), generator=random)
        rows = (down[:, None] + torch.arange(height)).view(count, 1, height, 1)
        columns = (right[:, None] + torch.arange(width)).view(count, 1, 1, width)
        channels = torch.arange(images.shape[1]).view(1, -1, 1, 1)
        images = padded[torch.arange(count).view(-1, 1, 1, 1), channels, rows, columns]
    return Split(images, batch.labels)
