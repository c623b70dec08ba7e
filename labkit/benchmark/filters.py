"""The papers' numbers on transferred filters beside ours: table III of the survey, rotated MNIST, compact designs."""

from __future__ import annotations

from collections.abc import Sequence

from labkit import layers, zoo
from labkit.benchmark import catalogue, published
from labkit.benchmark.cells import epochs_of, error, marks, parameters, said
from labkit.benchmark.point import Point
from labkit.benchmark.report import NOTHING, TEST, half_interval
from labkit.benchmark.results import Mark
from labkit.layers import Conv2d
from labkit.measure import macs
from labkit.replacing import stored
from labkit.table import Cell, Table

SCRATCH, COMPACT, ROTATED, UPRIGHT = "filters_scratch", "filters_compact", "filters_rotated", "filters_upright"
WIDE, NARROW = "VGG", "ResNet-20"
ROTATED_PICTURES = 50_000
# The rows of table III: its own name, and our method with the value of its knob.
TABLE_THREE = (
    ("VGG-16", ("filters.Thinner", 1)),
    ("CRELU", ("filters.CReLU", 2)),
    ("MBA", ("filters.MultiBias", 2)),
    ("DCNN", ("filters.DoublyConvolutional", 4)),
    ("CIRC", ("filters.P4", 4)),
)
# Controls by network: the width at which a plain network has as many numbers or multiplications as another.
CONTROLS = (
    ("as many numbers as CReLU", {WIDE: 28 / 32, NARROW: 23 / 32}),
    ("as many multiplications as CReLU", {WIDE: 23 / 32}),
    ("as many numbers as p4", {WIDE: 25 / 32, NARROW: 16 / 32}),
)
# Networks on rotated MNIST, in the order of the paper: the network, the copies and what it is.
TURNED = (
    ("Z2CNN", 1, "plain filters"),
    ("P4CNN-pooled", 4, "four orientations, the largest after every layer"),
    ("P4CNN", 4, "four orientations, the largest at the end"),
)


def table_three() -> Table:
    """Set the survey's table III beside ours: a wide network and a narrow one, all trained alike from scratch."""
    found = {(point.network, point.method, point.value): mark for point, mark in marks(SCRATCH)}
    rows: list[list[Cell]] = []
    for name, (method, value) in TABLE_THREE:
        (stated,) = published.rows(paper="cheng2018", method=name, data="CIFAR-10")
        title = "Plain filters" if value == 1 else catalogue.method(method).title
        factors = (
            [("1", "")] * 2 if value == 1 else [(f"{factor(net, method, value):.2f}", "") for net in (WIDE, NARROW)]
        )
        ours = [_error(found.get((net, method, value))) for net in (WIDE, NARROW)]
        theirs = (f"{stated.error_percent:.2f} % [{stated.trust}]", f"factor {stated.ratio:g}")
        rows.append([(title, name if value > 1 else ""), theirs, ours[0], factors[0], ours[1], factors[1]])
    thin = {(point.network, point.value): mark for point, mark in marks(COMPACT) if point.method == "filters.Thinner"}
    for words, widths in CONTROLS:
        ours = [_error(thin.get((net, widths[net]))) if net in widths else ("", "") for net in (WIDE, NARROW)]
        rows.append([("Fewer plain filters", words), ("", ""), ours[0], ("", ""), ours[1], ("", "")])
    note = (
        "Test errors; in brackets the range of the seeds. Theirs is VGG-16 on CIFAR-10, as the survey prints it, with "
        f"the factor of the whole network. Ours are on Fashion-MNIST, {_epochs(SCRATCH)} epochs from scratch with one "
        "recipe; the factor counts the numbers of the convolutions alone, since VGG's matrices stay as they are. "
        f"{TEST:,} pictures leave {half_interval(0.925):.1f} points of doubt. {said('S')}"
    )
    columns = ("filters", "theirs", f"{WIDE}, wide", "factor", f"{NARROW}, narrow", "factor")
    return Table("Transferred filters: the survey's table III and ours", columns, rows, note)


def factor(network: str, method: str, value: float) -> float:
    """Return how many times fewer numbers the convolutions of a network store with a method.

    >>> round(factor("VGG", "filters.CReLU", 2), 2)
    2.0
    """
    model = zoo.load(network)
    small = catalogue.make(method, {}).prepare(model).at(value)
    counts = [
        sum(stored(layer.weight) for layer in layers.layers(one).values() if isinstance(layer, Conv2d))
        for one in (model, small)
    ]
    return counts[0] / counts[1]


def rotated() -> Table:
    """Set the errors on rotated MNIST beside ours, for plain filters and filters in four orientations."""
    found = {(point.network, point.value): (mark, point) for point, mark in marks(ROTATED)}
    kept, rows = parameters(ROTATED), []
    for network, copies, words in TURNED:
        (stated,) = published.rows(paper="cohen2016", network=network)
        theirs: Cell = (stated.shown("error_percent"), "")
        mark, point = found.get((network, copies), (None, None))
        numbers = (f"{kept[point.key]:,}", "") if point else NOTHING
        rows.append([(network, words), theirs, _error(mark), numbers])
    mark, point = found.get(("P4CNN", 1), (None, None))
    if point:
        about = "four times as many plain filters, no rule"
        rows.append([("control", about), ("", ""), _error(mark), (f"{kept[point.key]:,}", "")])
    note = (
        f"Test errors; in brackets the range of the seeds. Both train on 12,000 pictures; ours for {_epochs(ROTATED)} "
        "epochs, theirs for 100 and more, P4CNN with pictures turned at random besides. Their pictures are those of "
        f"the original file, ours are turned by `labkit/rotated.py`. {ROTATED_PICTURES:,} pictures leave "
        f"{half_interval(0.97, ROTATED_PICTURES):.1f} points of doubt. {said('S2')}"
    )
    return Table("Digits turned by any angle", ("network", "theirs", "ours", "numbers"), rows, note)


def upright() -> Table:
    """Say what four orientations cost where nothing is turned: clothes that stand upright."""
    rows = [
        [(point.network, "plain" if point.network == "Z2CNN" else "four orientations"), _error(mark)]
        for point, mark in marks(UPRIGHT)
    ] or [[("Z2CNN and P4CNN", ""), NOTHING]]
    note = (
        f"Test errors after {_epochs(UPRIGHT)} epochs from scratch, about as many numbers each; in brackets the range "
        "of the seeds."
    )
    return Table("Upright Fashion-MNIST: the same two networks", ("network", "error"), rows, note)


def compact() -> Table:
    """Say how small and how accurate VGG is with compact designs and with fewer plain filters, by multiplications."""
    network = zoo.load(WIDE)
    kept = parameters(COMPACT)
    rows = []
    for point, mark in marks(COMPACT):
        if point.network == WIDE:
            method = catalogue.make(point.method, {})
            small = method.prepare(network).at(point.value)
            cost, shown = macs(small, (1, 28, 28)), method.knob.show(point.value)
            rows.append((cost, [(method.title, shown), (f"{cost:,}", ""), (f"{kept[point.key]:,}", ""), _error(mark)]))
    note = (
        f"VGG on Fashion-MNIST, test errors after {_epochs(COMPACT)} epochs from scratch with one recipe; in brackets "
        f"the range of the seeds. {TEST:,} pictures leave {half_interval(0.92):.1f} points of doubt."
    )
    ordered = [row for _, row in sorted(rows, key=lambda pair: pair[0])] or [[("VGG", ""), NOTHING, NOTHING, NOTHING]]
    return Table("Compact designs and plain networks", ("design", "multiplications", "numbers", "error"), ordered, note)


def _error(mark: Mark | None) -> Cell:
    return NOTHING if mark is None else error(mark)


def _epochs(sweep: str) -> str:
    """Say for how many epochs a sweep trained."""
    found: Sequence[tuple[Point, Mark]] = marks(sweep)
    return " or ".join(sorted({str(epochs_of(point)) for point, _ in found})) or "no"
