"""The papers' numbers on pruning and sharing beside ours, and what each method needs of training."""

from __future__ import annotations

from labkit import storage, zoo
from labkit.benchmark import published, results
from labkit.benchmark.cells import NOT_STATED, accuracy, epochs_of, error, marks, said
from labkit.benchmark.report import NOTHING
from labkit.table import Cell, Table

RETRAINED = ("LeNet-300-100", "LeNet-5")
RATES = (8, 64)
EPOCHS = (1, 2, 4)
SHARES = (0.5, 0.75)
# Each row of the HashedNets paper that the lab repeats, with our method. What it calls dark knowledge is not repeated.
RIVALS = {
    "HashNet": "pruning.HashedNets",
    "NN (narrower network)": "pruning.Narrower",
    "LRD (low-rank decomposition)": "pruning.LowRankFixed",
    "RER (random edge removal)": "pruning.RandomEdges",
}
LASSO = {
    "pruned, then trained": "pruning.FilterPruning",
    "trained with a penalty, pruned, trained": "pruning.StructuredSparsity",
}


def han() -> Table:
    """Set prune-and-retrain (Han 2015) beside ours at 12.5 times fewer weights, as test errors on MNIST."""
    rows = []
    found = marks("pruning_retrained")
    for network in RETRAINED:
        (stated,) = published.rows(paper="han2015", network=network, layer="")
        (density,) = published.rows(paper="han2016", network=network, layer="", stage="prune")
        theirs = (stated.shown("baseline_percent"), stated.shown(), density.shown("ratio"))
        rows.append(((f"{network}, Han 2015", ""), *((number, "") for number in theirs), NOT_STATED))
        dense = (f"{100 * (1 - zoo.card(network, 'MNIST', 'plain')['accuracy']['test']):.2f} %", "")
        size = storage.size(zoo.build(network)).total
        mine = [(point, mark) for point, mark in found if point.network == network]
        for point, mark in mine:
            numbers = (f"{1 / (1 - point.value):.1f}×", ""), (f"{size / mark.bytes:.1f}×", "")
            rows.append(((f"{network}, {results.title(point)}", ""), dense, error(mark), *numbers))
        if not mine:
            rows.append(((f"{network}, ours", ""), dense, NOTHING, NOTHING, NOTHING))
    note = (
        "Test errors. In brackets the range of the seeds. Fewer weights is not a smaller file: the positions cost "
        f"bytes too. {said('S2')} {said('S')}"
    )
    columns = ("network", "error before", "error after", "fewer weights", "smaller file")
    return Table("Pruning and retraining on MNIST: the paper and ours", columns, rows, note)


def hashed() -> Table:
    """Set HashedNets and their rivals (Chen 2015, tables 1 and 2) beside ours, as test errors on MNIST."""
    ours = {(point.method, point.value): mark for point, mark in marks("hashed")}
    rows = []
    for method, name in RIVALS.items():
        cells: list[Cell] = []
        for rate in RATES:
            stated = published.rows(paper="chen2015", network="MLP-1000", method=method)
            (row,) = (row for row in stated if row.ratio == rate)
            mine = ours.get((name, 1 / rate))
            cells += [(row.shown(), ""), error(mine) if mine else NOTHING]
        rows.append(((method, ""), *cells))
    whole = [error(mark)[0] for (_, share), mark in ours.items() if share == 1]
    note = (
        "784-1000-10 neurons, all trained from scratch; in brackets the range of the seeds. "
        + (f"The whole network, trained alike: {whole[0]}. " if whole else "")
        + f"{said('M-M')}"
    )
    columns = ("method", *(f"1/{rate} of the numbers, {whose}" for rate in RATES for whose in ("published", "ours")))
    return Table("Test error on MNIST with few stored numbers: hashing and its rivals", columns, rows, note)


def epochs() -> Table:
    """Say how accurate LeNet-5 is with a share of its filters removed, after 1, 2 and 4 epochs in all.

    Li 2017 removes filters first and then trains; Wen 2016 trains with a penalty on whole filters before.
    """
    found = {(point.value, point.method, epochs_of(point)): mark for point, mark in marks("filters_epochs")}
    rows = []
    for share in SHARES:
        for removed, name in LASSO.items():
            cells = [accuracy(found.get((share, name, count))) for count in EPOCHS]
            rows.append(((f"{100 * share:g} % of the filters, {removed}", ""), *cells))
    note = (
        "Test accuracy on Fashion-MNIST; in brackets the range of the seeds. Both train for as many epochs in all: "
        "the second spends a part of them on driving filters to zero before it removes them."
    )
    columns = ("removed", *(f"{count} epoch{'s' if count > 1 else ''}" for count in EPOCHS))
    return Table("What a penalty on filters needs: accuracy after so many epochs", columns, rows, note)
