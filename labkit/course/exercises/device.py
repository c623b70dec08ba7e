"""The exercise of notebook 08 on a budget: LeNet-5 on a device with 64 KB, from the frontier."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from labkit import data, zoo
from labkit.course.checks import NotYet, exercise
from labkit.course.exercises.network import saved
from labkit.measure import accuracy

NETWORK, BYTES, SHARE = "LeNet-5", 64 * 1024, 0.92


@exercise(
    "a 64 KB device",
    "Read the frontier: what is left of 65,536 bytes, and how high? Is it one theme, or two?",
    "No single theme gets there without training. Prune first, then share the values of what is left.",
    "return DeepCompression().prepare(model, pictures).at(0.85)",
)
def device_of_64_kb(fit: Callable[[nn.Module, data.Data], nn.Module]) -> str:
    """The file is written and loaded again; the validation split decides, and the test split is only reported."""
    pictures = data.load()
    size, small = saved(fit(zoo.load(NETWORK), pictures), "fit(model, pictures)")
    if size > BYTES:
        raise NotYet(f"The file has {size:,} bytes, {size / BYTES:.1f} times what the device has ({BYTES:,}).")
    found = accuracy(small, pictures)
    if found.value < SHARE:
        raise NotYet(
            f"{size:,} bytes fit, but {found} of the validation pictures are right: {100 * SHARE:.0f} % are wanted."
        )
    test = accuracy(small, pictures, "test")
    return (
        f"{size:,} of {BYTES:,} bytes, {found} on validation, and on the test pictures, which chose nothing: {test}. "
        "The device must hold the numbers as they are used, too: what unpacks codes while it multiplies is a runtime "
        "of its own."
    )


EXERCISES = (device_of_64_kb,)
