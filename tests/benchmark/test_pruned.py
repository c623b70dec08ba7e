"""The tables of pruning and sharing show what was published and what was run, and say where nothing was."""

from labkit import storage, zoo
from labkit.benchmark import pruned
from labkit.benchmark.cells import marks
from labkit.benchmark.point import Point
from labkit.benchmark.report import NOTHING
from labkit.benchmark.results import Entry


def entry(point: Point, right: int, size: int = 1000) -> Entry:
    return Entry(point, {"accuracy": {"validation": [1, 2], "test": [right, 10_000]}, "bytes": size})


def test_what_was_not_run_is_said(write):
    han, hashed, epochs = pruned.han(), pruned.hashed(), pruned.epochs()
    assert [row[2:] for row in han.rows if row[0][0].endswith("ours")] == [(NOTHING,) * 3] * 2
    assert all(row[2] == row[4] == NOTHING for row in hashed.rows) and len(hashed.rows) == 4
    assert all(cell == NOTHING for row in epochs.rows for cell in row[1:]) and len(epochs.rows) == 4


def test_prune_and_retrain_stands_beside_the_paper(write):
    arguments = {"scope": "deviation"}
    train = {"epochs": 8, "learning_rate": 0.02}
    for seed, right in enumerate((9840, 9850)):
        point = Point("LeNet-300-100", "MNIST", "pruning.Magnitude", 0.92, "plain", arguments, seed=seed, train=train)
        write("pruning_retrained", entry(point, right, 80_000))
    table = pruned.han()
    theirs, ours, *five = table.rows
    assert [cell[0] for cell in theirs] == [
        "LeNet-300-100, Han 2015",
        "1.64 % [S2]",
        "1.59 % [S2]",
        "12× [S]",
        "not stated",
    ]
    dense = 100 * (1 - zoo.card("LeNet-300-100", "MNIST", "plain")["accuracy"]["test"])
    smaller = storage.size(zoo.build("LeNet-300-100")).total / 80_000
    assert ours[0][0] == "LeNet-300-100, Magnitude pruning, in standard deviations"
    assert ours[1:] == (
        (f"{dense:.2f} %", ""),
        ("1.55 %", "1.50 to 1.60, 2 seeds"),
        ("12.5×", ""),
        (f"{smaller:.1f}×", ""),
    )
    assert five[0][0] == ("LeNet-5, Han 2015", "") and five[1][2] == NOTHING


def test_hashing_and_its_rivals_stand_beside_the_paper(write):
    def point(method, share, seed=0):
        return Point("MLP-1000", "MNIST", method, share, seed=seed, start="scratch", train={"epochs": 12})

    write(
        "hashed", entry(point("pruning.HashedNets", 1 / 64), 9700), entry(point("pruning.HashedNets", 1 / 64, 1), 9720)
    )
    write("hashed", entry(point("pruning.RandomEdges", 1 / 8), 9800), entry(point("pruning.HashedNets", 1), 9860))
    table = pruned.hashed()
    first, last = table.rows[0], table.rows[-1]
    assert first == (
        ("HashNet", ""),
        ("1.45 % [M-M]", ""),
        NOTHING,
        ("2.79 % [M-M]", ""),
        ("2.90 %", "2.80 to 3.00, 2 seeds"),
    )
    assert last[1:3] == (("2.19 % [M-M]", ""), ("2.00 %", "1 seed")) and last[4] == NOTHING
    assert "The whole network, trained alike: 1.40 %." in table.note


def test_epochs_are_those_of_the_recipe(write):
    def point(method, share, train, seed=0):
        return Point("LeNet-5", "FashionMNIST", method, share, seed=seed, train=train)

    write(
        "filters_epochs",
        entry(point("pruning.FilterPruning", 0.5, {"epochs": 1}), 9100),
        entry(point("pruning.FilterPruning", 0.5, {"epochs": 1}, 1), 9120),
        entry(point("pruning.FilterPruning", 0.5, {"epochs": 4}), 9200),
        entry(point("pruning.StructuredSparsity", 0.75, {"epochs": 4}), 9000),
        entry(point("pruning.StructuredSparsity", 0.75, {}), 9300),  # ten epochs, as usual: no column has them
    )
    table = pruned.epochs()
    assert table.columns == ("removed", "1 epoch", "2 epochs", "4 epochs")
    first, *_, last = table.rows
    assert first[1:] == (("91.10 %", "91.00 to 91.20, 2 seeds"), NOTHING, ("92.00 %", "1 seed"))
    assert last[1:] == (NOTHING, NOTHING, ("90.00 %", "1 seed"))
    assert first[0][0].startswith("50 %") and last[0][0].startswith("75 %")


def test_a_failed_run_counts_for_nothing(write):
    point = Point("LeNet-5", "FashionMNIST", "pruning.FilterPruning", 0.5, train={"epochs": 1})
    write("filters_epochs", Entry(point, error={"type": "ValueError", "sentence": "no"}))
    assert marks("filters_epochs") == []


def test_the_shipped_runs_keep_the_papers_order():
    def shares(sweep, **wanted):
        found = {}
        for point, mark in marks(sweep):
            if all(getattr(point, name) == value for name, value in wanted.items()):
                found[point.method.partition(".")[2], (point.train or {}).get("epochs")] = mark.accuracy
        return found

    few = {method: share for (method, _), share in shares("hashed", value=1 / 64).items()}
    assert few["HashedNets"] > few["Narrower"] > few["RandomEdges"] > few["LowRankFixed"]
    for removed in (0.5, 0.75):  # a penalty needs more epochs for the same accuracy
        found = shares("filters_epochs", value=removed)
        assert all(found["StructuredSparsity", epochs] < found["FilterPruning", epochs] for epochs in (1, 2, 4))
