"""The time that a lower rank really saves: less than the multiplications say, and at times none.

A chain of thin convolutions takes fewer multiplications than the one that it stands for. But each link reads its
whole input from memory and writes its whole output there, each is one more call, and the arithmetic of a thin
product leaves a processor waiting for numbers. So the factor on paper is one that no clock has to confirm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from labkit import macs
from labkit.methods import Curve
from labkit.table import Table
from labkit.timetable import ROUNDS, timetable

NOTE = "Fewer multiplications are a promise, and the time is what came of it: compare the two factors of a row."


def speed(
    networks: Mapping[str, nn.Module],
    image_shape: tuple[int, int, int],
    batches: Sequence[int] = (1, 256),
    rounds: int = ROUNDS,
) -> Table:
    """Time networks against the first of them, and set that beside how many multiplications fewer they take.

    `networks` maps names to a dense network and compressed ones. All are timed in turns as they would be deployed,
    a chain as its thin layers, in one thread, the first twice as a control (see `labkit.timetable`). Raises
    ValueError without a network, for a batch below 1 or fewer than three rounds.

    >>> from labkit import zoo
    >>> from labkit.lowrank import SVD
    >>> model = zoo.load("LeNet-300-100")
    >>> table = speed({"dense": model, "SVD": SVD().prepare(model).at(32)}, (1, 28, 28), batches=(1,), rounds=3)
    >>> table.rows[1][2]
    ('48,488', '× 5.49 fewer')
    """
    return timetable("Multiplications and time", networks, image_shape, batches, rounds, NOTE)


def cut_to(curve: Curve, image_shape: tuple[int, int, int], share: float) -> tuple[float, nn.Module]:
    """Return the largest rank on the knob with which a network takes at most a share of its multiplications.

    Returns the rank and the network. More rank must take more of them, as it does where all layers have the same.
    Raises ValueError for a share that is not above 0 and at most 1, and where rank 1 takes more.

    >>> from labkit import zoo
    >>> from labkit.lowrank import Spatial
    >>> cut_to(Spatial().prepare(zoo.load("LeNet-5")), (1, 28, 28), share=0.5)[0]
    23
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}, but must be above 0 and at most 1: half the multiplications are 0.5")
    uses = macs.calls(curve.model, image_shape)
    allowed = share * macs.counted(curve.model, uses)
    ranks = sorted(curve.knob.values)
    least = macs.counted(curve.at(ranks[0]), uses)
    if least > allowed:
        raise ValueError(f"rank {ranks[0]:g} takes {least:,} multiplications, but {int(allowed):,} are allowed")
    low, high = 0, len(ranks)  # low is allowed, high is not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if macs.counted(curve.at(ranks[middle]), uses) <= allowed else (low, middle)
    return ranks[low], curve.at(ranks[low])
