"""A criterion says only how it scores; ranking, cutting and the picture are the same for all."""

import pytest
import torch
from torch import nn

from labkit import adopt
from labkit.methods import numbers
from labkit.pruning.ranked import Ranked


class Highest(Ranked):
    """The score of a weight is the weight: negative ones go first."""

    def __init__(self, scope="network"):
        self.scope = scope

    def scores(self, leaves, model, data):
        return {path: numbers(leaf) for path, leaf in leaves.items()}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return adopt(nn.Sequential(nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 10)))


def test_one_threshold_for_the_network_or_one_for_each_layer(network):
    weights = [numbers(network[index].weight) for index in (0, 2)]
    together = Highest().prepare(network).at(0.7)
    cut = torch.cat([weight.flatten() for weight in weights]).sort().values[int(0.7 * 800)]
    for index, weight in zip((0, 2), weights, strict=True):
        assert torch.equal(together[index].weight(), weight * (weight >= cut))
    each = Highest("layer").prepare(network).at(0.7)
    assert [len(each[index].weight.positions) for index in (0, 2)] == [180, 60]


def test_sparsity_0_changes_nothing(network):
    same = Highest().prepare(network).at(0)
    assert type(same[0].weight).__name__ == "Dense" and torch.equal(same[0].weight(), network[0].weight())


def test_only_one_layer(network):
    pruned = Highest().prepare(network, where="2").at(0.9)
    assert len(pruned[2].weight.positions) == 20 and type(pruned[0].weight).__name__ == "Dense"


def test_the_picture_counts_what_stays(network):
    curve = Highest("layer").prepare(network)
    picture = curve.picture(0.9, "0")
    assert picture.values.sum() == 60 and picture.values[:50].sum() == 0  # the negative half is gone
    assert picture.marks[1] == pytest.approx(float(numbers(network[0].weight).min().abs()))
    assert "60 of 600 weights of 0" in picture.text


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_not_numbers_are_refused(network, bad):
    class Broken(Highest):
        def scores(self, leaves, model, data):
            return {path: numbers(leaf) * bad for path, leaf in leaves.items()}

    with pytest.raises(ValueError, match="the scores of 0.weight are NaN or infinite"):
        Broken().prepare(network)


def test_where_nothing_is_left_nothing_is_pruned():
    network = adopt(nn.Linear(4, 3))
    emptied = Highest().prepare(network).at(0.999)
    assert not emptied.weight().any()
    assert not Highest().prepare(emptied).at(0.5).weight().any()
