"""The second view: what is looked at in it, and who draws that."""

from __future__ import annotations

from collections.abc import Callable

from labkit.live.result import Result, Subject
from labkit.live.scan import Scan
from labkit.live.views import codes, displacement, filters, learning, mask, sensitivity
from labkit.live.views.learning import Learning
from labkit.live.views.picture import picture

VIEWS = ("what the method did", codes.NAME, mask.NAME, filters.NAME, displacement.NAME, sensitivity.NAME, learning.NAME)


def second(view: str, subject: Subject, result: Result, split: str, scan: Callable[[], Scan], run: Learning) -> dict:
    """Return the picture that is looked at; `scan` is asked for only where it is. `run` is the latest training run."""
    if view == codes.NAME:
        return picture(codes.codes(result), codes.NAME.capitalize(), codes.NONE)
    if view == mask.NAME:
        return mask.mask(result, subject.data.image_shape)
    if view == filters.NAME:
        return filters.filters(subject, result)
    if view == displacement.NAME:
        return displacement.displacements(subject, result)
    if view == sensitivity.NAME:
        return sensitivity.sensitivity(scan(), split)
    if view == learning.NAME:
        return learning.learning(run, subject.evaluator.reference.value, split)
    return picture(result.picture)
