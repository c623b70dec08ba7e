"""Pictures that the original gets right and the compressed network gets wrong."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import torch
from torch import Tensor

from labkit.live.result import Result, Subject

PICTURES = 10


def flips(subject: Subject, result: Result, split: str, before: Tensor | None) -> dict:
    """Return the first pictures that flipped, those first that were right in `before` (n,), as one small PNG."""
    part = subject.data.split(split)
    right = result.predictions == part.labels
    lost = subject.evaluator.right.cpu() & ~right
    just = lost & before if before is not None else lost
    index = torch.cat([torch.nonzero(just).flatten(), torch.nonzero(lost & ~just).flatten()])[:PICTURES]
    names = [
        (subject.data.classes[part.labels[i]], subject.data.classes[result.predictions[i]]) for i in index.tolist()
    ]
    gained = int((right & ~subject.evaluator.right.cpu()).sum())
    total = int(lost.sum())
    summary = f"{total:,} right before, wrong now; {gained:,} the other way round"
    if not total:
        summary = "No picture has flipped: what the original gets right is still right."
    return {
        "items": names,
        "summary": summary,
        "side": part.images.shape[-1],
        "png": sprite(part.images[index]) if total else "",
    }


def sprite(images: Tensor) -> str:
    """Put pictures (n, channels, height, width) in a row, as a PNG data address; bright and dark change places.

    Eight grey levels are enough at this size, and a third of the bytes.
    """
    levels = np.round((255 - images.numpy()) * (7 / 255)) * (15 / 7)
    row = np.concatenate(list(levels.transpose(0, 2, 3, 1)), axis=1).astype(np.uint8)  # (height, n * width, channels)
    height, width, channels = row.shape
    if channels == 1:
        row = np.pad(row[..., 0], ((0, 0), (0, width % 2)))
        lines, depth, colour = row[:, ::2] << 4 | row[:, 1::2], 4, 0
    else:
        lines, depth, colour = (255 - (row * 17)).reshape(height, -1), 8, 2
    raw = b"".join(b"\0" + line.tobytes() for line in lines)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()
