"""The exercises of all notebooks: one file for each, listed here."""

from labkit.course.checks import Exercise
from labkit.course.exercises import (
    alike,
    attention,
    circulant,
    crelu,
    crossing,
    damage,
    device,
    disagreement,
    factors,
    fewer_macs,
    figures,
    first_layer,
    lifting,
    lowrank,
    pointwise,
    price,
    pruning,
    quantization,
    really,
    sharing_ranks,
    small_student,
    softloss,
    start_here,
    thinning,
)

FILES = (
    *(start_here, quantization, price),
    *(pruning, damage, thinning),
    *(circulant, crossing, first_layer),
    *(lowrank, disagreement, sharing_ranks),
    *(crelu, lifting, pointwise, fewer_macs),
    *(softloss, attention, small_student, alike),
    *(figures, device, really, factors),
)
EXERCISES: dict[str, Exercise] = {about.name: about for file in FILES for about in file.EXERCISES}
