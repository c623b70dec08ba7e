"""The survey's figures of merit beside what is really measured, and why the factors of two papers do not compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from labkit import data as datasets
from labkit import layers, storage
from labkit.latency import Ratio, ratio
from labkit.measure import macs, measure
from labkit.rates import compression_rate, space_saving, space_saving_as_printed
from labkit.table import Cell, Table
from labkit.threads import threads
from labkit.weights import Weight

INDEX_BITS = 5  # of a gap between two survivors, as in Deep Compression's tables
FLOAT_BITS = 32


def figures(
    networks: Mapping[str, nn.Module], data: datasets.Data, split: str = "validation", rounds: int = 9
) -> Table:
    """Show the survey's rate, saving and speed-up of networks against the first, beside what is measured.

    alpha = a / a*, beta = (a - a*) / a as it must be meant and (a - a*) / a* as it is printed, delta = s / s*, with a
    the parameters and s the time, here of one picture and of 256, on one thread, with a control. Raises ValueError
    without a network and for fewer than three rounds.
    """
    if not networks:
        raise ValueError("there is no network: give at least the original")
    first, *_ = networks.values()
    known = {name: measure(net, data, split) for name, net in networks.items()}
    base = next(iter(known.values()))
    rows: list[list[Cell]] = []
    for name, net in networks.items():
        one = known[name]
        rate = compression_rate(base.parameters, one.parameters)
        saved, printed = (of(base.parameters, one.parameters) for of in (space_saving, space_saving_as_printed))
        with threads(1):
            faster = [ratio(first, net, data.image_shape, batch, rounds) for batch in (1, 256)]
        if net is first:
            faster = [replace(one, value=one.control, low=one.control_low, high=one.control_high) for one in faster]
        rows.append(
            [
                (name, f"{100 * one.accuracy.value:.2f} % {split}"),
                (f"{rate:.2f}", f"{one.parameters:,} numbers"),
                (f"{round(100 * saved)} %", f"as printed: {round(printed, 2) + 0.0:.2f}"),
                (f"{base.bytes / one.bytes:.1f}×", f"{one.bytes:,} bytes"),
                (f"{base.macs / max(one.macs, 1):.2f}×", f"{one.macs:,} MACs"),
                *(_faster(found) for found in faster),
            ]
        )
    note = (
        "The rate counts numbers and knows nothing of bits; as printed, the saving is α − 1 and no share. A time ratio "
        "has the range of nine in ten rounds, the control the same for the original against itself: what lies inside "
        "it is not real."
    )
    columns = ("network", "rate α", "saving β", "file", "multiplications", "faster, 1 picture", "faster, 256 pictures")
    return Table("The survey's three figures, and what is measured", columns, rows, note)


def _faster(found: Ratio) -> Cell:
    """Show a ratio beside its control; the control itself needs no verdict."""
    control = f"control {found.control_low:.2f} to {found.control_high:.2f}"
    if (found.value, found.low, found.high) == (found.control, found.control_low, found.control_high):
        return f"× {found.value:.2f}", control
    verdict = "" if found.real else ", not real"
    return f"× {found.value:.2f}{verdict}", f"{found.low:.2f} to {found.high:.2f}; {control}"


def factors(small: nn.Module, original: nn.Module, image_shape: tuple[int, int, int], rounds: int = 9) -> Table:
    """Count how many times smaller one pruned and clustered network is, in the ways in which papers count it.

    The weights alone are a, those left a*; b bits name a shared value, and INDEX_BITS a gap. So the factor is a / a*
    by density, 32 a / (b a*) by bits, 32 a / ((b + 5) a* + 32 k) with positions and a codebook of k values, and what
    the file says. Raises ValueError where nothing is pruned.
    """
    whole, kept, stored, with_index = 0, 0, 0.0, 0.0
    for path, layer in layers.layers(small).items():
        weight = layer.weight()
        left = int((weight != 0).sum())
        values = weight[weight != 0].unique().numel()
        bits = _bits(layer.weight, values)
        whole, kept = whole + original.get_submodule(path).weight.shape.numel(), kept + left
        stored += bits * left
        with_index += (bits + INDEX_BITS) * left + (FLOAT_BITS * values if bits < FLOAT_BITS else 0)
    if kept >= whole:
        raise ValueError("nothing is pruned in the network: prune it first, for example with Deep Compression")
    files = storage.size(original).total, storage.size(small).total
    with threads(1):
        faster = ratio(original, small, image_shape, 1, rounds)
    on_paper = macs(original, image_shape) / macs(small, image_shape)
    rows = [
        [("weights that are left", "density alone, as in dynamic network surgery"), (f"{whole / kept:.1f}×", "")],
        [("bits of these weights", "no positions, no codebooks"), (f"{FLOAT_BITS * whole / stored:.1f}×", "")],
        [("and their positions", "5 bits for a gap, codebooks"), (f"{FLOAT_BITS * whole / with_index:.1f}×", "")],
        [
            ("the file", "biases and structure too, entropy-coded"),
            (f"{files[0] / files[1]:.1f}×", f"{files[1]:,} bytes"),
        ],
        [("multiplications on paper", "zeros skipped"), (f"{on_paper:.1f}×", "")],
        [("time for one picture", "dense kernels, this machine"), _faster(faster)],
    ]
    note = "Six factors, and all of them are true. Two papers compare only where both count alike."
    return Table("One network, counted in six ways", ("what is counted", "factor"), rows, note)


def _bits(weight: Weight, values: int) -> int:
    """Return the bits that name one of so many shared values; 32 where no codebook holds the weights."""
    shared = any(isinstance(part, Weight) and hasattr(part, "codes") for part in weight.modules())
    return max(1, (values - 1).bit_length()) if shared else FLOAT_BITS
