"""The papers' numbers on distillation beside ours, and what our own runs say of methods, teachers and controls."""

from __future__ import annotations

from collections.abc import Iterable

from labkit import zoo
from labkit.benchmark import catalogue, published
from labkit.benchmark.cells import accuracy, epochs_of, error, marks, parameters, said
from labkit.benchmark.point import Point, Step
from labkit.benchmark.report import NOTHING, TEST, half_interval
from labkit.benchmark.results import Mark
from labkit.table import Cell, Table

WIDTHS, METHODS, HINTON = "distillation", "distillation_methods", "distillation_hinton"
FITNETS, TEACHERS, THEN = "distillation_fitnets", "distillation_teachers", "distillation_then"
SMALL, TINY = 1 / 4, 1 / 16  # widths at which all methods were run
LONGER = 4  # epochs: as many as both stages of hints
Found = dict[str, tuple[Point, Mark]]
# Rows: the paper's name, and the class of ours.
STUDENTS = (
    ("plain student", "LabelsAlone"),
    ("distilled student", "SoftTargets"),
    ("student with hints", "Hints"),
)
CONTROLS = ("SmoothedLabels", "ShuffledTeacher")


def hinton() -> Table:
    """Set Hinton's errors on MNIST beside ours, with the two controls."""
    found = _by_method(HINTON)
    rows = [_teacher("hinton2015", "MLP-2x1200"), *(_student("hinton2015", found, *pair) for pair in STUDENTS[:2])]
    rows += [[(_title(name), "control"), ("", ""), _error(found.get(name))] for name in CONTROLS]
    note = (
        f"Test errors; in brackets the range of the seeds. Only the teachers saw pictures that "
        f"were moved by up to 2 pixels. Our students trained for {_epochs(found)} epochs with Adam. {TEST:,} pictures "
        f"leave {half_interval(0.99):.1f} points of doubt in each row. {said('S')}"
    )
    return Table("Hinton's digits: 800 and 800 hidden units", ("network", "theirs", "ours"), rows, note)


def fitnets() -> Table:
    """Set the errors of FitNets on MNIST beside ours, whose teacher is VGG and whose students are a quarter as wide."""
    found, numbers = _by_method(FITNETS), parameters(FITNETS)
    rows = [_teacher("romero2015", "VGG"), *(_student("romero2015", found, *pair) for pair in STUDENTS)]
    kept = {numbers[point.key] for point, _ in found.values()}
    size = f"{max(kept):,} numbers to the teacher's {zoo.parameters(zoo.build('VGG')):,}" if kept else "as in the paper"
    note = (
        "Test errors; in brackets the range of the seeds. Theirs: about 30,000 numbers to the teacher's 361,000, up to "
        f"500 epochs; ours: {size}, {_epochs(found)} epochs, hints as many more. {TEST:,} pictures leave "
        f"{half_interval(0.99):.1f} points of doubt. {said('S')}"
    )
    return Table("FitNets on MNIST: deep and thin students", ("network", "theirs", "ours"), rows, note)


def methods() -> Table:
    """Say how accurate a quarter and a sixteenth of VGG become with each method, beside the controls."""
    found = _vgg(WIDTHS) + _vgg(METHODS)
    every = {(_name(point), point.value): mark for point, mark in found if epochs_of(point) < LONGER}
    longer = {(_name(point), point.value): mark for point, mark in found if epochs_of(point) == LONGER}
    names = ("LabelsAlone", *(one.partition(".")[2] for one in catalogue.methods("distillation")))
    rows = [
        [
            (_title(name), "control" if name in CONTROLS else ""),
            *(accuracy(every.get((name, w))) for w in (SMALL, TINY)),
        ]
        for name in dict.fromkeys(names)
    ]
    rows += [
        [(_title(name), f"{LONGER} epochs, as hints in all"), *(accuracy(longer.get((name, w))) for w in (SMALL, TINY))]
        for name in dict.fromkeys(name for name, _ in longer)
    ]
    numbers = {point.value: count for point, count in _counts(WIDTHS) if point.network == "VGG"}
    columns = ["student", *(f"{one:g} of the width, {numbers.get(one, 0):,} numbers" for one in (SMALL, TINY))]
    note = (
        f"VGG on Fashion-MNIST; the teacher, VGG itself, has {100 * _card('VGG')['test']:.2f} %. Test accuracies after "
        f"{_epochs_in(WIDTHS)} epochs, hints as many more; in brackets the range of the seeds. {TEST:,} pictures leave "
        f"{half_interval(0.91):.1f} points of doubt, less where two rows are compared on the same pictures."
    )
    return Table("Every way to teach, and two controls", columns, rows, note)


def teachers() -> Table:
    """Say what a quarter of VGG learns from other teachers than VGG."""
    rows: list[list[Cell]] = []
    own = _own()
    rows.append([("none", "the plain student"), ("", ""), accuracy(own.get("LabelsAlone"))])
    given = {point.arguments["teacher"]: mark for point, mark in marks(TEACHERS)}
    for name in ("LeNet-300-100", "LeNet-5", "VGG", "VGG-wide"):
        mark = own.get("SoftTargets") if name == "VGG" else given.get(name)
        size = f"{zoo.parameters(zoo.build(name)):,} numbers"
        rows.append([(name, size), (f"{100 * _card(name)['test']:.2f} %", ""), accuracy(mark)])
    note = (
        f"Fashion-MNIST, test accuracies after {_epochs_in(WIDTHS)} epochs; in brackets the range of the seeds. Is the "
        "best teacher the best one for this student?"
    )
    return Table("Which teacher?", ("teacher", "its accuracy", "a quarter of VGG, taught by it"), rows, note)


def then() -> Table:
    """Say what is left of a student's gain when its weights are clustered to 16 values afterwards."""
    own = _own()
    after = {_name(point.keep[0]): mark for point, mark in marks(THEN)}
    rows = []
    for name in ("LabelsAlone", "SoftTargets"):
        for words, found in (("float32", own.get(name)), ("k-means, 4 bits", after.get(name))):
            size = (f"{round(found.bytes):,} bytes", "") if found else NOTHING
            rows.append([(_title(name), words), size, accuracy(found)])
    note = "A quarter of VGG on Fashion-MNIST, test accuracies; in brackets the range of the seeds."
    return Table("Distil, then quantise", ("student", "file", "accuracy"), rows, note)


def _teacher(paper: str, ours: str) -> list[Cell]:
    (stated,) = published.rows(paper=paper, method="teacher")
    mine = 100 * (1 - zoo.card(ours, "MNIST")["accuracy"]["test"])
    return [("Teacher", f"theirs {stated.network}, ours {ours}"), (stated.shown(), ""), (f"{mine:.2f} %", "1 seed")]


def _student(paper: str, found: Found, stated: str, name: str) -> list[Cell]:
    (row,) = published.rows(paper=paper, method=stated)
    return [(_title(name), ""), (row.shown(), ""), _error(found.get(name))]


def _by_method(sweep: str) -> Found:
    return {_name(point): (point, mark) for point, mark in marks(sweep)}


def _name(step: Point | Step) -> str:
    """Return the class of a method."""
    return step.method.partition(".")[2]


def _own() -> dict[str, Mark]:
    """Return the marks of a quarter of VGG, plain and taught by VGG itself, by method."""
    return {_name(point): mark for point, mark in _vgg(WIDTHS) if point.value == SMALL}


def _vgg(sweep: str) -> list[tuple[Point, Mark]]:
    return [(point, mark) for point, mark in marks(sweep) if point.network == "VGG"]


def _counts(sweep: str) -> list[tuple[Point, int]]:
    """Pair the points of a sweep with how many numbers their networks store."""
    numbers = parameters(sweep)
    return [(point, numbers[point.key]) for point, _ in marks(sweep)]


def _title(name: str) -> str:
    return catalogue.method(f"distillation.{name}").title


def _card(network: str) -> dict:
    return zoo.card(network, "FashionMNIST")["accuracy"]


def _error(found: tuple[Point, Mark] | None) -> Cell:
    return NOTHING if found is None else error(found[1])


def _epochs(found: Found) -> str:
    return _said(point for point, _ in found.values())


def _epochs_in(sweep: str) -> str:
    return _said(point for point, _ in marks(sweep))


def _said(points: Iterable[Point]) -> str:
    """Say for how many epochs points were trained."""
    return " or ".join(sorted({str(epochs_of(point)) for point in points})) or "no"
