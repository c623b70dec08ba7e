"""A budget is a bound that no network exceeds, whichever rule shares it and whatever the network was before."""

import functools

import pytest
import torch
from torch import nn

from labkit import adopt, zoo
from labkit.live import explore
from labkit.lowrank import CP, SVD, Budget, Spatial, Tucker2
from labkit.lowrank.budget import VALUES
from labkit.lowrank.cut import RANKED
from labkit.measure import parameters
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.storage import size
from labkit.weights import LowRank
from tests.lowrank.budgets import SHARES, few, noise, odd, spent
from tests.networks import SHAPE, pictures
from tests.storage.networks import assert_same, saved_and_loaded

data = functools.cache(few)
network = functools.cache(zoo.load)


@functools.cache
def prepared(name, share="loss", unit="bytes"):
    return Budget(share=share, unit=unit).prepare(network(name), data())


def assert_within(curve, model, unit, shape=SHAPE):
    """Every network on the curve costs what its ranks say, and no more than the budget."""
    whole = spent(model, unit, shape)
    assert curve.total == whole
    for value in curve.knob.values:
        small, costs = curve.at(value), curve.costs
        told = curve.fixed + sum(costs[layer][rank] for layer, rank in curve.ranks(value).items())
        assert spent(small, unit, shape) == told <= value * whole


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("unit", ["bytes", "macs"])
@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5"])
def test_no_network_exceeds_its_budget(name, unit, share):
    model, curve = network(name), prepared(name, share, unit)
    assert_within(curve, model, unit)
    assert all(rank is None for rank in curve.ranks(1).values())
    assert spent(curve.at(0.5), unit, SHAPE) > 0.35 * spent(model, unit, SHAPE)  # and what is allowed is used


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("unit", ["bytes", "macs"])
@pytest.mark.parametrize("share", SHARES)
def test_shortcuts_and_shared_weights_are_counted_as_they_are(share, unit, seed):
    model, pictured = odd(seed), noise()
    curve = Budget(share=share, unit=unit).prepare(model, pictured)
    assert_within(curve, model, unit, pictured.image_shape)
    for value in curve.knob.values:
        small, rank = curve.at(value), curve.ranks(value)["one"]
        assert small.one.weight is small.two.weight and isinstance(small.one.weight, LowRank) == (rank is not None)
    assert "thin" not in curve.ranks(1)  # no rank saves anything in it


@pytest.mark.parametrize("base", RANKED)
def test_every_method_whose_knob_is_a_rank_can_share_a_budget(base):
    model, pictured = odd(), noise()
    for unit in ("bytes", "macs"):
        assert_within(Budget(base(), share="ratio", unit=unit).prepare(model, pictured), model, unit, (3, 8, 8))


def test_what_it_says_of_bytes_is_what_the_file_holds():
    curve = prepared("LeNet-5", "rank")
    for value in (0.05, 0.3):
        assert size(curve.at(value)).total == pytest.approx(value * curve.total, rel=0.1, abs=3000)


@pytest.mark.parametrize("first", [Magnitude("layer"), KMeans(), SVD()])
@pytest.mark.parametrize("share", ["loss", "ratio"])
def test_a_network_that_was_compressed_before_shares_what_is_left(first, share):
    start = {Magnitude: 0.5, KMeans: 4, SVD: 32}[type(first)]
    model = first.prepare(network("LeNet-300-100")).at(start)
    curve = Budget(share=share).prepare(model, data())
    value = curve.knob.values[len(curve.knob.values) // 2]
    small = curve.at(value)
    assert curve.costs and torch.isfinite(small(pictures())).all()
    told = curve.fixed + sum(curve.costs[layer][rank] for layer, rank in curve.ranks(value).items())
    assert 4 * parameters(small) == told <= value * 4 * parameters(model)


def test_a_network_comes_back_from_its_file_and_goes_on_training(tmp_path):
    curve = prepared("LeNet-5")
    small = curve.at(0.1)
    assert_same(small, saved_and_loaded(small, tmp_path))
    *_, (_, trained) = curve.train(0.1, data())
    assert [weight.shape for weight in trained.parameters()] == [weight.shape for weight in small.parameters()]
    assert not torch.equal(trained.fc1.weight(), small.fc1.weight())


def test_it_is_the_same_each_time():
    again = Budget().prepare(zoo.load("LeNet-300-100"), data())
    first = prepared("LeNet-300-100")
    assert first.ladders is not again.ladders
    assert {value: first.ranks(value) for value in VALUES} == {value: again.ranks(value) for value in VALUES}
    assert_same(first.model, again.model)  # and the original is as it was


def test_a_network_that_changed_is_decomposed_anew():
    model = zoo.load("LeNet-300-100")
    before = Budget(share="energy").prepare(model)
    assert Budget(share="ratio").prepare(model).ladders is before.ladders
    with torch.no_grad():
        model.fc1.weight.values.mul_(2)
    after = Budget(share="energy").prepare(model)
    assert after.ladders is not before.ladders
    assert torch.allclose(after.at(0.2).fc1.weight(), 2 * before.at(0.2).fc1.weight(), rtol=1e-4, atol=1e-5)


def test_a_network_in_which_no_rank_saves_anything_is_left_alone():
    model = adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 1)))
    for share in SHARES:
        curve = Budget(share=share).prepare(model, data())
        assert curve.knob.values == (1,) and torch.equal(curve.at(1)[1].weight(), model[1].weight())


def test_budgets_below_the_lowest_ranks_are_not_on_the_knob():
    model, pictured = odd(), noise()
    curve = Budget(share="ratio").prepare(model, pictured)
    lowest = curve.fixed + sum(min(costs.values()) for costs in curve.costs.values())
    assert curve.knob.values == tuple(value for value in VALUES if value * curve.total >= lowest)
    with pytest.raises(ValueError, match="budget is 0.05, but must be one of"):
        curve.at(0.05)


def test_what_cannot_be_is_refused_in_a_sentence():
    model = network("LeNet-300-100")
    for wrong, said in (
        ({"share": "equal"}, "share is 'equal', but must be one of loss, rank, energy, ratio"),
        ({"unit": "flops"}, "unit is 'flops', but must be one of bytes, macs"),
        ({"base": "svd"}, "base is 'svd', but must be a method whose knob is a rank"),
    ):
        with pytest.raises(ValueError, match=said):
            Budget(**wrong)
    with pytest.raises(ValueError, match="one layer alone has nothing to share"):
        Budget().prepare(model, data(), where="fc1")
    with pytest.raises(ValueError, match="the loss is measured on pictures"):
        Budget().prepare(model)
    with pytest.raises(ValueError, match="depends on the pictures' size"):
        Budget(share="energy", unit="macs").prepare(model)
    curve = Budget(share="energy").prepare(model)
    with pytest.raises(ValueError, match='no loss was measured: prepare Budget\\(share="loss"\\)'):
        _ = curve.losses
    with pytest.raises(ValueError, match="layer 'fc9' has no share in the budget: it is not among fc1, fc2, fc3"):
        curve.picture(0.5, "fc9")


def test_the_picture_shows_what_each_layer_keeps():
    curve = prepared("LeNet-300-100", "ratio")
    picture = curve.picture(0.5, "fc2")
    assert curve.ranks(0.5) == {"fc1": 106, "fc2": 38, "fc3": 4}
    kept = [100 * 106 * 1084 / (300 * 784), 100 * 38 * 400 / 30_000, 100 * 4 * 110 / 1000]
    assert picture.kind == "bars" and picture.values.tolist() == pytest.approx(kept)
    assert picture.labels == ("fc1: rank 106", "fc2: rank 38", "fc3: rank 4")
    assert "rank 38" in picture.title and "fc1 rank 106, fc2 rank 38, fc3 rank 4" in picture.text
    assert "left alone" in curve.picture(1, "fc2").title


def test_no_two_budgets_have_the_same_title():
    bases = (SVD(), Spatial(), Tucker2(), CP())
    titles = [Budget(base, share, unit).title for base in bases for share in SHARES for unit in ("bytes", "macs")]
    assert len(set(titles)) == len(titles)
    assert Budget(share="rank").title == "Budget, equal rank"


def test_budgets_stand_beside_each_other_in_one_panel():
    rivals = [Budget(share=share) for share in ("energy", "ratio", "rank")]
    panel = explore("LeNet-300-100", [Budget(), *rivals], beside=True).wait()
    try:
        state = panel.set(knob=0.1).wait().state
        assert not state.get("error") and set(state["beside"]) == {rival.title for rival in rivals}
        found = {title: point["accuracy"] for title, point in state["beside"].items()}
        assert all(0.1 < accuracy < 1 for accuracy in found.values())
    finally:
        panel.close()
