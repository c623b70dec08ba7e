"""The papers' numbers on structured matrices beside ours: MNIST with noise, LeNet with Fastfood, equal parameters."""

from __future__ import annotations

from labkit import references, storage, zoo
from labkit.benchmark import catalogue, published, results
from labkit.benchmark.cells import NOT_STATED, accuracy, epochs_of, error, marks, parameters, said
from labkit.benchmark.point import Point
from labkit.benchmark.report import NOTHING, half_interval
from labkit.benchmark.results import Mark
from labkit.table import Cell, Table

NOISE, NOISE_PICTURES = "structured_noise", 50_000
RANKS = (1, 2, 3, 4)
NETWORK = "LeNet-300-100"
TOEPLITZ, LOW_RANK = "structured.ToeplitzLike", "structured.LowRank"
# Rows that a rank orders: the published name, and our method.
RANKED = (
    ("Toeplitz-like", TOEPLITZ),
    ("Low-rank", LOW_RANK),
    ("Hankel-like", None),
    ("Vandermonde-like", None),
    (None, "structured.Monarch"),
    (None, "structured.RandomSparse"),
    (None, "structured.Narrower"),
)
# Rows of one size: the paper, its name for it, and our method with the value of its knob.
SINGLE = (
    ("thomas2018", "Dense", ("structured.Circulant", 0)),
    ("dao2019", "Circulant", ("structured.Circulant", 1)),
    ("dao2019", "Fastfood", ("structured.Fastfood", 1)),
    ("dao2019", "Toeplitz-like", None),
    ("dao2019", "Low-rank", None),
    ("dao2019", "BPBP real", None),
    ("dao2019", "LDR-TD", None),
)
THEIRS = "MNIST-noise of Larochelle"


def noise() -> Table:
    """Set the accuracy of one structured hidden layer on MNIST with noise beside ours, at equal numbers."""
    found = {(point.method, point.value): mark for point, mark in marks(NOISE)}
    rows: list[list[Cell]] = []
    for name, method in RANKED:
        if name:
            stated = {row.protocol: row for row in published.rows(paper="thomas2018", method=name)}
            cells = [_share(stated[f"rank {rank}"]) for rank in RANKS]
            rows.append([(f"{name}, Thomas 2018", ""), *cells, ("", "")])
        if method:
            cells = [accuracy(found[method, rank]) if (method, rank) in found else ("", "") for rank in RANKS]
            rows.append([(f"{_title(method)}, ours", ""), *cells, ("", "")])
    for paper, name, ours in SINGLE:
        (stated,) = published.rows(paper=paper, method=name, data=THEIRS)
        rows.append([(f"{name}, {references.short(paper)}", ""), *[("", "")] * len(RANKS), _share(stated)])
        if ours:
            title = "Dense" if ours[1] == 0 else _title(ours[0])
            rows.append([(f"{title}, ours", ""), *[("", "")] * len(RANKS), accuracy(found.get(ours))])
    note = (
        "Accuracy on the test split; in brackets the range of the seeds. 784 inputs, one hidden layer of 784, 10 "
        "classes; at rank r the hidden layer stores 1,568 r numbers, in the last column its own number. Their "
        "MNIST-noise and ours are not the same pictures, so only the order compares. Monarch has as many blocks as r "
        f"says; a random sparse layer also stores positions in its file. {ordering()} {NOISE_PICTURES:,} pictures "
        f"leave {half_interval(0.7, NOISE_PICTURES):.1f} points of doubt. {said('S')} {said('S2')}"
    )
    columns = ("hidden layer", *(f"r = {rank}" for rank in RANKS), "own size")
    return Table("One structured layer on MNIST with noise: the papers and ours", columns, rows, note)


def ordering() -> str:
    """Say by how many points Toeplitz-like is above low rank at equal numbers, over all ranks and seeds."""
    gaps = [100 * gap for rank in RANKS for gap in gaps_at(rank)]
    if not gaps:
        return "Ours was not run."
    most, least = max(gaps), min(gaps)
    return f"In ours, Toeplitz-like is {least:.0f} to {most:.0f} points above low rank, at every rank and seed."


def gaps_at(rank: int) -> list[float]:
    """Return for each seed how much higher the accuracy of Toeplitz-like is than that of low rank, as a share."""
    found: dict[tuple[str, int], float] = {}
    for entry in results.read(NOISE):
        if entry.result and entry.point.value == rank:
            right, of = entry.result["accuracy"]["test"]
            found[entry.point.method, entry.point.seed] = right / of
    seeds = sorted(seed for method, seed in found if method == TOEPLITZ and (LOW_RANK, seed) in found)
    return [found[TOEPLITZ, seed] - found[LOW_RANK, seed] for seed in seeds]


def fastfood() -> Table:
    """Set LeNet with a Fastfood layer (Yang 2015) beside ours, as test errors on MNIST."""
    rows = []
    for row in published.rows(paper="yang2015"):
        rows.append([(f"{row.method}, Yang 2015", ""), (row.shown("error_percent"), ""), NOT_STATED, NOT_STATED])
    found, kept = marks("structured_lenet5"), parameters("structured_lenet5")
    for point, mark in found:
        title = "Dense" if point.value == 0 else f"{_title(point.method)} as fc1"
        rows.append([(f"{title}, ours", f"{epochs_of(point)} epochs"), error(mark), *_sizes(point, mark, kept)])
    if not found:
        rows.append([("LeNet-5, ours", ""), NOTHING, NOTHING, NOTHING])
    note = (
        "Test errors on MNIST; in brackets the range of the seeds. Theirs has 1,024 or 2,048 features and is quoted, "
        f"not read; ours replaces the matrix of 500 x 800. 10,000 pictures leave {half_interval(0.992):.1f} points of "
        f"doubt. {said('S2')} [M-L]: recalled, not checked, and doubtful."
    )
    return Table("LeNet-5 with a structured layer on MNIST", ("network", "test error", "numbers", "file"), rows, note)


def equal_parameters() -> Table:
    """Say how accurate LeNet-300-100 is with each structure, by the numbers that it stores."""
    found = [pair for pair in marks("structured_trained") if pair[0].network == NETWORK]
    kept = parameters("structured_trained")
    found.sort(key=lambda pair: kept[pair[0].key])
    dense = zoo.load(NETWORK)
    share = zoo.card(NETWORK, "FashionMNIST")["accuracy"]["test"]
    rows = [
        [(f"{_title(point.method)}, {point.value:g}", ""), *_sizes(point, mark, kept), accuracy(mark)]
        for point, mark in found
    ]
    whole = (f"{zoo.parameters(dense):,}", ""), (f"{storage.size(dense).total:,} bytes", "")
    rows.append([("dense", ""), *whole, (f"{100 * share:.2f} %", "")])
    note = (
        "Test accuracy on Fashion-MNIST, from the nearest structured matrices after three epochs; in brackets the "
        "range of the seeds. Sorted by the numbers stored, biases and the dense last layer included."
    )
    columns = (NETWORK, "numbers", "file", "accuracy")
    return Table("The constraint biases the model: accuracy by structure and size", columns, rows, note)


def _sizes(point: Point, mark: Mark, kept: dict[str, int]) -> tuple[Cell, Cell]:
    """Show how many numbers a network stores, and the bytes of its file."""
    return (f"{kept[point.key]:,}", ""), (f"{mark.bytes:,.0f} bytes", "")


def _title(method: str) -> str:
    return catalogue.method(method).title


def _share(row: published.Published) -> Cell:
    return f"{100 - row.error_percent:.1f} % [{row.trust}]", ""
