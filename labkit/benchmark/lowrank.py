"""The survey's numbers on low rank beside ours: its table II, Tucker-2 on LeNet-5, and what training brings back."""

from __future__ import annotations

from collections import defaultdict

from torch import nn

from labkit import storage, zoo
from labkit.benchmark import catalogue, published, results
from labkit.benchmark.cells import NOT_STATED, accuracy, epochs_of, error, marks, parameters, said
from labkit.benchmark.point import Point
from labkit.benchmark.report import NETWORKS, NOTHING, TEST, half_interval
from labkit.benchmark.results import Mark
from labkit.benchmark.shaped import shaped
from labkit.macs import macs
from labkit.table import Cell, Table
from labkit.timetable import ROUNDS, timetable

DATA = "FashionMNIST"
IMAGENET = ("AlexNet", "VGG-16", "GoogLeNet")
BATCH = 64
EPOCHS = (0, 1, 2, 4)
RETRAINED = (("LeNet-300-100", "lowrank.SVD", 16), ("LeNet-5", "lowrank.SVD", 8), ("LeNet-5", "lowrank.Spatial", 8))
TUCKER_NUMBERS = 189_000  # of the published network: in its note, since no column has them


def table_two(networks: tuple[str, ...] = NETWORKS, batch: int = BATCH, rounds: int = ROUNDS) -> Table:
    """Set the survey's table II beside ours of the same form: accuracy, speed-up and compression.

    Accuracy and bytes are those of data/sweeps/lowrank_trained.toml. The time is measured when the table is made, of
    networks of the same shapes, which takes up to 20 seconds. Raises ValueError for a batch below 1 or fewer than
    three rounds.
    """
    rows = [row for network in IMAGENET for row in _stated(network)]
    found: dict[str, list[tuple[Point, Mark]]] = defaultdict(list)
    for point, mark in marks("lowrank_trained"):
        if point.data == DATA and not point.keep and point.where is None:
            found[point.network].append((point, mark))
    for network in networks:
        rows += _ours(network, found[network], batch, rounds)
    note = (
        "Accuracy: published, top-5 on ImageNet; ours, top-1 on the test pictures of Fashion-MNIST, in brackets the "
        "range of the seeds. Speed-up: ours was measured just now on this processor, in one thread, with batches of "
        f"{batch}; in brackets the range of nine in ten rounds, not real where the dense network against itself "
        "differs as much. Compression: ours compares the bytes of files. BN low-rank is the spatial scheme, trained "
        "from scratch; ours were trained again after they were cut. The survey's text below the table calls the "
        f"spatial scheme the faster one and CP the smaller; the table itself has CP ahead in both. {said('S')}"
    )
    columns = ("network", "accuracy", "speed-up", "compression", "fewer multiplications")
    return Table("Low rank: the survey's table II and ours", columns, rows, note)


def _stated(network: str) -> list[list[Cell]]:
    """Return the survey's rows on a network: as it is, and by two methods."""
    found = published.rows(paper="cheng2018", table="II", network=network)
    name, mark = f"{network}, published", found[0].trust
    share = f"{100 - found[0].baseline_percent:.2f} % [{mark}]"
    rows = [[(name, ""), (share, "top-5"), ("1", ""), ("1", ""), NOT_STATED]]
    for one in found:
        share = f"{100 - one.error_percent:.2f} % [{one.trust}]"
        numbers = (f"× {one.speedup:.2f} [{one.trust}]", ""), (f"{one.ratio:.2f}× [{one.trust}]", "")
        rows.append([(f"{name}, {one.method}", ""), (share, "top-5"), *numbers, NOT_STATED])
    return rows


def _ours(network: str, found: list[tuple[Point, Mark]], batch: int, rounds: int) -> list[list[Cell]]:
    """Return our rows on a network: as it is, and by each method that a sweep has run."""
    share = zoo.card(network, DATA)["accuracy"]["test"]
    rows = [[(network, ""), (f"{100 * share:.2f} %", ""), ("1", ""), ("1", ""), ("1", "")]]
    if not found:
        return [*rows, [(f"{network}, ours", ""), *[NOTHING] * 4]]
    dense = zoo.load(network, DATA)
    size = storage.size(dense).total
    times = _times(dense, [point for point, _ in found], batch, rounds)
    for point, mark in found:
        knob = catalogue.make(point.method, point.arguments).knob
        name = f"{network}, {results.title(point)}, {knob.name} {knob.show(point.value)}"
        smaller = f"{size / mark.bytes:.2f}×"
        faster, fewer = times.get(point.key, (NOTHING, NOTHING))
        rows.append([(name, ""), accuracy(mark), faster, (smaller, f"{mark.bytes:,.0f} bytes"), fewer])
    return rows


def _times(dense: nn.Module, points: list[Point], batch: int, rounds: int) -> dict[str, tuple[Cell, Cell]]:
    """Measure how many times faster a network is in the shapes of each point; how many multiplications fewer it has."""
    shapes = {point.key: shaped(dense, point.method, int(point.value)) for point in points}
    networks = {"dense": dense} | {key: net for key, net in shapes.items() if net is not None}
    count = {key: macs(net, zoo.FASHION_SHAPE) for key, net in networks.items()}
    timed = timetable("", networks, zoo.FASHION_SHAPE, (batch,), rounds).rows
    return {
        key: (row[-1], (f"{count['dense'] / count[key]:.2f}×", "")) for key, row in zip(networks, timed, strict=True)
    }


def tucker() -> Table:
    """Set Tucker-2 of LeNet-5 (Wang 2018, table 4) beside ours at as many numbers, as test errors on MNIST."""
    (stated,) = published.rows(paper="wang2018", method="Tucker")
    theirs = (stated.shown("baseline_percent"), ""), (stated.shown(), ""), (f"{TUCKER_NUMBERS:,} [{stated.trust}]", "")
    rows = [[("Tucker-2, Wang 2018", ""), *theirs, (stated.shown("ratio"), "")]]
    before = (f"{100 * (1 - zoo.card('LeNet-5', 'MNIST', 'plain')['accuracy']['test']):.2f} %", "")
    whole, kept = zoo.parameters(zoo.build("LeNet-5")), parameters("lowrank_tucker")
    found = marks("lowrank_tucker")
    for point, mark in found:
        numbers = kept[point.key]
        cells = (f"{numbers:,}", ""), (f"{whole / numbers:.2f}×", "")
        rows.append([(f"{results.title(point)}, ours", ""), before, error(mark), *cells])
    if not found:
        rows.append([("Tucker-2, ours", ""), before, NOTHING, NOTHING, NOTHING])
    epochs = " or ".join(sorted({f"{epochs_of(point)} epochs" for point, _ in found})) or "not at all so far"
    doubt = half_interval(1 - stated.error_percent / 100)
    note = (
        f"Test errors; in brackets the range of the seeds. {TEST:,} pictures leave {doubt:.1f} points of doubt. Wang "
        "2018 ran the method of Kim 2016, trained for 20 epochs; "
        f"ours was trained {epochs} after it was cut. {said('S')}"
    )
    columns = ("network", "error before", "error after", "numbers", "fewer numbers")
    return Table("Tucker-2 of LeNet-5 on MNIST: the paper and ours", columns, rows, note)


def retraining() -> Table:
    """Say how accurate a network of low rank is after 0, 1, 2 and 4 epochs of training."""
    found = {(p.network, p.method, p.value, epochs_of(p)): mark for p, mark in marks("lowrank_epochs")}
    rows = []
    for network, method, rank in RETRAINED:
        cells = [found.get((network, method, rank, count)) for count in EPOCHS]
        size = storage.size(zoo.build(network)).total
        smaller = next((f"{size / mark.bytes:.1f}× smaller" for mark in cells if mark), "")
        name = f"{network}, {catalogue.method(method).title}, rank {rank}"
        before = f"{100 * zoo.card(network, DATA)['accuracy']['test']:.2f} %"
        untrained = (accuracy(cells[0])[0], "")  # no seed has a part in it
        rows.append([(name, smaller), (before, ""), untrained, *(accuracy(mark) for mark in cells[1:])])
    note = "Test accuracy on Fashion-MNIST; in brackets the range of the seeds, which only training has."
    columns = ("network", "before", *(f"{count} epoch{'s' if count != 1 else ''}" for count in EPOCHS))
    return Table("What training brings back of a low rank", columns, rows, note)
