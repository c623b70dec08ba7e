"""The data sets of the lab: real pictures of every class, sizes and splits, and how good the shipped networks are."""

from __future__ import annotations

from collections.abc import Sequence

from labkit import data as datasets
from labkit import zoo
from labkit.course.pictures import PAGE, tile
from labkit.data import MADE, SHIPPED
from labkit.live.shapes import QUIET, card, page, text
from labkit.live.watch import Drawing
from labkit.table import Cell, Table

HERE = (*SHIPPED, *MADE)
SIDE, ROW, TOP = 62, 116, 44


def pictures(names: Sequence[str] = HERE) -> Drawing:
    """Draw the first test picture of each class of some data sets.

    Raises ValueError for a data set that does not exist, and DataError where its files are missing.

    >>> pictures(["MNIST"])
    One test picture of each class. MNIST: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.
    """
    drawn, said = [text(15, 28, "One test picture of each class", 16, weight=700)], []
    for row, name in enumerate(names):
        found, top = datasets.load(name), TOP + row * ROW
        drawn += [card(10, top, PAGE - 20, ROW - 8), text(22, top + 20, name, 13, weight=600)]
        for index, label in enumerate(found.classes):
            image = found.test.images[int((found.test.labels == index).nonzero()[0])][0].float()
            left = 130 + index * (PAGE - 150) / len(found.classes)
            drawn += [tile(image, left, top + 10, 0, 255, SIDE), text(left, top + 10 + SIDE + 16, label, 11, QUIET)]
        said.append(f"{name}: {', '.join(found.classes)}")
    words = f"One test picture of each class. {'. '.join(said)}."
    return Drawing(page(drawn, words, TOP + len(names) * ROW + 8, PAGE), words)


def table(names: Sequence[str] = HERE) -> Table:
    """List the sizes and splits of data sets with the best shipped network on each, and what it takes to get others."""
    rows: list[list[Cell]] = []
    for name in names:
        found = datasets.load(name)
        sizes = [(f"{len(found.split(split)):,}", "") for split in ("train", "validation", "test")]
        shape = " × ".join(map(str, found.image_shape))
        made = "made from MNIST when it is loaded" if name in MADE else "comes with the lab"
        rows.append([(name, made), (shape, ""), (str(len(found.classes)), ""), *sizes, _best(name)])
    others = [name for name in datasets.NAMES if name not in HERE]
    note = (
        "Validation pictures are taken out of the training set, every class in its share; they choose, and the test "
        f"pictures report. {', '.join(others)} are downloaded by torchvision on first use, checked by their hashes. "
        "The survey's own tables use ILSVRC-2012 and CIFAR, which a course laptop has not."
    )
    columns = ("data set", "one picture", "classes", "train", "validation", "test", "best shipped network, test")
    return Table("The data sets of the lab", columns, rows, note)


def _best(name: str) -> Cell:
    shares = {
        " ".join(filter(None, (network, variant))): zoo.card(network, on, variant)["accuracy"]["test"]
        for network, on, variant in zoo.available()
        if on == name
    }
    if not shares:
        return "none", ""
    best = max(shares, key=shares.get)
    return f"{100 * shares[best]:.2f} %", f"{best}, of {len(shares)}"
