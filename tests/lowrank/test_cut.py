"""A network cut by hand is the one that the method itself would have made, layer by layer."""

import pytest
import torch

from labkit import zoo
from labkit.lowrank import SVD, Budget, Spatial
from labkit.lowrank.cut import RANKED, cut, method
from labkit.lowrank.knapsack import choose
from labkit.weights import Dense
from tests.lowrank.budgets import few, spent
from tests.storage.networks import assert_same


@pytest.fixture(scope="module")
def network():
    return zoo.load("LeNet-5")


def test_each_layer_gets_its_rank(network):
    small = cut(network, {"conv2": 5, "fc1": 30, "fc2": None})
    for layer, rank in {"conv2": 5, "fc1": 30}.items():
        whole = network.get_submodule(layer).weight().detach().flatten(1)
        weight = small.get_submodule(layer).weight
        assert torch.linalg.matrix_rank(weight().detach().flatten(1)) == rank
        u, s, v = torch.linalg.svd(whole, full_matrices=False)
        assert torch.allclose(weight().detach().flatten(1), (u[:, :rank] * s[:rank]) @ v[:rank], atol=1e-5)
    assert isinstance(small.fc2.weight, Dense) and isinstance(small.conv1.weight, Dense)
    assert isinstance(network.fc1.weight, Dense)  # the original is as it was


def test_the_ranks_of_a_budget_give_the_network_of_the_budget(network):
    curve = Budget(Spatial(), share="energy").prepare(network)
    assert_same(cut(network, curve.ranks(0.2), Spatial()), curve.at(0.2))


def test_its_tables_are_enough_to_share_out_a_budget_by_hand():
    network = zoo.load("LeNet-300-100")
    curve = Budget().prepare(network, few())
    for layer, rank in (("fc1", 4), ("fc2", 16), ("fc3", None)):
        cost = curve.costs[layer][rank] + spent(network, "bytes", ()) - curve.costs[layer][None]
        assert spent(cut(network, {layer: rank}), "bytes", ()) == cost
    ranks = choose(curve.costs, curve.losses, 0.1 * curve.total - curve.fixed)
    assert 0.08 * curve.total < spent(cut(network, ranks), "bytes", ()) <= 0.1 * curve.total


def test_a_method_may_be_given_by_its_name():
    assert [type(method(kind.__name__)) for kind in RANKED] == list(RANKED)
    own = SVD()
    assert method(own) is own
    for wrong in ("svd", "OneShotTucker", None, Budget(share="ratio"), SVD):
        with pytest.raises(ValueError, match="must be a method whose knob is a rank: one of SVD, Spatial"):
            method(wrong)


def test_ranks_that_save_nothing_and_layers_that_do_not_exist_are_refused(network):
    for rank in (0, -1, 2.5, 10**6, "4"):
        with pytest.raises(ValueError, match=r"rank of fc1 is .*, but must be from 1 to \d+, or None"):
            cut(network, {"fc1": rank})
    with pytest.raises(ValueError, match="layer 'fc9' does not exist"):
        cut(network, {"fc9": 4})
    with pytest.raises(ValueError, match="holds 2 matrices"):
        cut(cut(network, {"fc1": 40}), {"fc1": 4})
