"""The survey's figures beside what is measured, and one network counted in six ways, against closed forms."""

import pytest
import torch
from torch import nn

from labkit import data, layers, storage, zoo
from labkit.benchmark.figures import factors, figures
from labkit.pruning import Magnitude
from labkit.quantization import KMeans


@pytest.fixture(scope="module")
def mlp():
    return zoo.load("LeNet-300-100")


def factor(row) -> float:
    return float(row[1][0].rstrip("×"))


def test_six_ways_to_count(mlp):
    pruned = Magnitude().prepare(mlp).at(0.9)
    small = KMeans().prepare(pruned).at(4)
    weights = [layer.weight() for layer in layers.layers(small).values()]
    whole, kept = (sum(int(f(w)) for w in weights) for f in (torch.numel, torch.count_nonzero))
    rows = factors(small, mlp, (1, 28, 28), rounds=3).rows
    assert factor(rows[0]) == pytest.approx(whole / kept, abs=0.05)
    assert factor(rows[1]) == pytest.approx(8 * whole / kept, abs=0.05)
    books = sum(32 * w[w != 0].unique().numel() for w in weights)
    assert factor(rows[2]) == pytest.approx(32 * whole / (9 * kept + books), abs=0.05)
    assert factor(rows[3]) == pytest.approx(storage.size(mlp).total / storage.size(small).total, abs=0.05)
    assert factor(factors(pruned, mlp, (1, 28, 28), 3).rows[1]) == pytest.approx(whole / kept, abs=0.05)


def test_nothing_pruned_has_no_density(mlp):
    with pytest.raises(ValueError, match="nothing is pruned"):
        factors(mlp, mlp, (1, 28, 28))


def test_three_figures_of_a_narrower_network(mlp):
    table = figures({"original": mlp, "k-means": KMeans().prepare(mlp).at(4)}, data.load(), rounds=3)
    original, shared = table.rows
    assert original[1][0] == "1.00" and original[2] == ("0 %", "as printed: 0.00")
    assert "real" not in original[5][0], "the first row is the control"
    assert shared[1][0] == "1.00" and float(shared[3][0].rstrip("×")) > 7, "the rate does not see bits"
    with pytest.raises(ValueError, match="give at least the original"):
        figures({}, data.load())


def test_the_network_may_be_any(mlp):
    net = layers.adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    table = figures({"original": mlp, "one layer": net}, data.load(), rounds=3)
    assert table.rows[1][1] == (f"{266_610 / 7_850:.2f}", "7,850 numbers")
