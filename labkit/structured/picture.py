"""The picture of a structured matrix: a corner of it, small enough that the eye finds the rule."""

from __future__ import annotations

from torch import Tensor

from labkit.methods import Picture

CORNER = 40  # rows and columns


def matrix_picture(name: str, matrix: Tensor, what: str, how: str, corner: int = CORNER) -> Picture:
    """Return the picture of the upper left corner of a layer's matrix (out, in).

    `what` goes into the title, `how` is the sentence that says it all.
    """
    rows, columns = (min(side, corner) for side in matrix.shape)
    part = "" if (rows, columns) == tuple(matrix.shape) else f", the first {rows} x {columns}"
    text = f"The matrix of {name} ({matrix.shape[0]} x {matrix.shape[1]}{part}): {how}."
    return Picture(
        kind="matrix",
        title=f"{name}: {what}",
        x=f"input of {name}",
        y=f"output of {name}",
        values=matrix[:rows, :columns].cpu().numpy(),
        text=text,
    )
