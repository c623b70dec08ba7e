"""A budget is never exceeded, as counted on the network itself, and the rules share it out as they say."""

import dataclasses
import itertools
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit import adopt, data, storage, zoo
from labkit.lowrank import SVD, Budget
from labkit.lowrank.cut import cut
from labkit.macs import macs
from labkit.measure import accuracy, parameters
from labkit.pruning import Magnitude
from labkit.quantization import HessianKMeans, KMeans
from labkit.train import Recipe

SHARES = ("loss", "rank", "energy", "ratio")
SHAPE = (1, 28, 28)


@pytest.fixture(scope="module")
def few():
    images = data.load("MNIST")
    return dataclasses.replace(images, train=images.train.take(slice(0, 200)))


@pytest.fixture
def network():
    """LeNet-5 in kind, small enough to measure in no time, with a layer that no rank makes smaller."""
    torch.manual_seed(0)
    parts = dict(
        conv1=nn.Conv2d(1, 6, 5),
        pool1=nn.MaxPool2d(4),
        conv2=nn.Conv2d(6, 12, 3),
        bn=nn.BatchNorm2d(12),
        flatten=nn.Flatten(),
        fc1=nn.Linear(192, 48),
        relu=nn.ReLU(),
        fc2=nn.Linear(48, 10),
        fc3=nn.Linear(10, 1),
        fc4=nn.Linear(1, 10),
    )
    return adopt(nn.Sequential(OrderedDict(parts))).eval()


def spent(model):
    """Count what a network costs, on the network alone."""
    return {"bytes": 4 * parameters(model), "macs": macs(model, SHAPE)}


@pytest.mark.parametrize(
    "share, unit, base",
    [
        *itertools.product(SHARES, ("bytes", "macs"), ["SVD"]),
        ("loss", "macs", "Spatial"),
        ("ratio", "bytes", "Spatial"),
        ("energy", "macs", "Tucker2"),
        ("rank", "bytes", "TensorTrain"),
        ("energy", "bytes", "ActivationSVD"),
    ],
)
def test_no_budget_is_exceeded_and_all_is_counted(share, unit, base, network, few):
    curve, whole = Budget(base, share, unit).prepare(network, few), spent(network)
    assert curve.total == whole[unit] and len(curve.knob.values) > 8
    for value in curve.knob.values:
        small = spent(curve.at(value))
        assert small[unit] <= value * whole[unit]
        choice = curve.choices[value]
        assert {name: curve.ladders.cost(choice, name) for name in small} == small
    assert set(curve.ranks(1).values()) == {None}
    assert storage.size(curve.at(0.5)).total < 0.5 * storage.size(network).total + 1000 or unit == "macs"


@pytest.mark.parametrize(
    "before, share",
    [*itertools.product([SVD, Magnitude], SHARES), (KMeans, "loss"), (KMeans, "rank"), (HessianKMeans, "energy")],
)
def test_a_network_that_was_compressed_before_keeps_its_budget_too(before, share, network, few):
    first = before().prepare(network, few)
    model = first.at(first.knob.values[len(first.knob.values) // 2])
    curve, whole = Budget(share=share).prepare(model, few), 4 * parameters(model)
    for value in curve.knob.values:
        small = curve.at(value)
        assert 4 * parameters(small) <= value * whole
        assert small(torch.zeros(2, *SHAPE)).isfinite().all()


def test_layers_that_share_a_weight_pay_for_it_once_and_multiply_twice():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 40), nn.Linear(40, 40), nn.Linear(40, 40))
    model[3].weight = model[2].weight
    model, images = adopt(model).eval(), data.load("MNIST")
    for unit in ("bytes", "macs"):
        curve = Budget(share="energy", unit=unit).prepare(model, images)
        small = curve.at(0.3)
        assert small[3].weight is small[2].weight
        assert spent(small)[unit] == curve.ladders.cost(curve.choices[0.3], unit) <= 0.3 * spent(model)[unit]


def test_equal_energy_is_the_largest_energy_that_fits(network):
    curve = Budget(share="energy").prepare(network)
    kept = {}
    for layer in ("conv1", "conv2", "fc1", "fc2"):
        s = np.linalg.svd(network.get_submodule(layer).weight().detach().flatten(1).numpy(), compute_uv=False)
        kept[layer] = np.cumsum(s**2) / np.sum(s**2)
    for value in (0.1, 0.3, 0.6):
        ranks = curve.ranks(value)
        e = min(kept[layer][rank - 1] for layer, rank in ranks.items() if rank)

        def cheapest(layer, share):
            enough = [rank for rank in curve.costs[layer] if rank is None or kept[layer][rank - 1] >= share]
            return min(enough, key=lambda rank: curve.costs[layer][rank])

        assert ranks == {layer: cheapest(layer, e - 1e-6) for layer in ranks}
        more = {layer: cheapest(layer, e + 1e-4) for layer in ranks}  # the next share does not fit
        assert curve.fixed + sum(curve.costs[layer][rank] for layer, rank in more.items()) > value * curve.total


def test_equal_ratio_and_equal_rank_are_the_largest_that_fit(network):
    curve = Budget(share="ratio").prepare(network)
    for value in (0.1, 0.3, 0.6):
        ranks = curve.ranks(value)
        ratios = {layer: costs[ranks[layer]] / costs[None] for layer, costs in curve.costs.items()}
        least = {layer: min(costs.values()) / costs[None] for layer, costs in curve.costs.items()}
        q = max(ratio for layer, ratio in ratios.items() if ratio > least[layer])
        for layer, costs in curve.costs.items():  # nobody could have had more at this ratio
            allowed = [cost for cost in costs.values() if cost <= q * costs[None]]
            assert costs[ranks[layer]] == max(allowed, default=min(costs.values()))
    curve = Budget(share="rank").prepare(network)
    for value in (0.1, 0.3, 0.6):
        given = [rank for rank in curve.ranks(value).values() if rank]
        r = max(given)
        assert all(rank in (r, None) for rank in curve.ranks(value).values())
        more = [costs.get(r + 1, costs[None]) for costs in curve.costs.values()]
        assert curve.fixed + sum(more) > value * curve.total


def test_the_loss_is_the_divergence_of_the_outputs(network, few):
    from labkit.lowrank import measured

    curve = Budget().prepare(network, few)
    probe = measured.Probe(curve.ladders, few)
    drawn = torch.randperm(200, generator=torch.Generator().manual_seed(0))[: measured.PICTURES]
    x = few.normalise(few.train.images[drawn])
    with torch.no_grad():
        for value in (0.1, 0.4):
            p, q = (F.log_softmax(model(x), 1) for model in (network, curve.at(value)))
            expected = F.kl_div(q, p, reduction="batchmean", log_target=True)
            assert probe.loss(curve.choices[value]) == pytest.approx(float(expected), rel=1e-3, abs=1e-6)
        layer, rank = "fc1", 8
        expected = F.kl_div(F.log_softmax(cut(network, {layer: rank})(x), 1), p, reduction="batchmean", log_target=True)
        alone = tuple(
            ladder.ranks.index(rank) if ladder.name == layer else ladder.top for ladder in curve.ladders.ladders
        )
        assert probe.loss(alone) == pytest.approx(float(expected), rel=1e-3, abs=1e-6)


def test_a_larger_budget_never_loses_more_on_the_pictures_measured(network, few):
    from labkit.lowrank.measured import Probe

    curve = Budget(unit="macs").prepare(network, few)
    probe = Probe(curve.ladders, few)
    losses = [probe.loss(curve.choices[value]) for value in curve.knob.values]
    assert losses[0] > losses[-1] == 0 and all(more >= less for more, less in itertools.pairwise(losses))


def test_an_exchange_keeps_the_budget_and_lowers_the_loss(network, few):
    from labkit.lowrank.measured import Probe, exchange

    curve = Budget(share="ratio").prepare(network, few)
    probe, costs = Probe(curve.ladders, few), curve.ladders.costs("bytes")
    gained = []
    for value in (0.2, 0.3, 0.4):
        limit, start = value * curve.total - curve.fixed, curve.choices[value]
        better = exchange(probe, start, costs, limit)
        assert sum(cost[rung] for cost, rung in zip(costs, better, strict=True)) <= limit
        gained.append(probe.loss(start) - probe.loss(better))
    assert min(gained) >= 0 and max(gained) > 0


def test_measured_loss_beats_the_rules_that_see_no_picture():
    model, images = zoo.load("LeNet-300-100"), data.load()
    curves = {share: Budget(share=share).prepare(model, images) for share in SHARES}
    for value in (0.15, 0.2, 0.25):
        found = {share: accuracy(curve.at(value), images).value for share, curve in curves.items()}
        assert found["loss"] > max(found["rank"], found["energy"] + 0.05, found["ratio"] + 0.4)


def test_budgets_compared_on_one_network_decompose_it_once(network, few):
    class Counted(SVD):
        times = 0

        def fit(self, leaf):
            Counted.times += 1
            return super().fit(leaf)

    base = Counted()
    for share, unit in itertools.product(SHARES, ("bytes", "macs")):
        Budget(base, share, unit).prepare(network, few)
    assert Counted.times == 6  # once for each layer
    with torch.no_grad():
        network.fc1.weight.values.mul_(2)
    Budget(base, "ratio").prepare(network, few)
    assert Counted.times == 12


def test_what_is_compared_tells_itself_apart():
    budgets = [
        Budget(base, share, unit) for base in ("SVD", "Spatial") for share in SHARES for unit in ("bytes", "macs")
    ]
    assert len({budget.title for budget in budgets}) == len(budgets)
    assert {budget.knob.name for budget in budgets} == {"budget", "budget_macs"}  # only like is set beside like


def test_it_is_saved_loaded_and_trained(network, few, tmp_path):
    curve = Budget("Spatial", "energy").prepare(network, few)
    small = curve.at(0.3)
    storage.save(small, tmp_path / "small")
    x = torch.randn(2, *SHAPE)
    assert torch.equal(storage.load(tmp_path / "small", into=network)(x), small(x))
    *_, (_, trained) = curve.train(0.3, few, Recipe(epochs=1, learning_rate=0.01))
    assert spent(trained) == spent(small) and not torch.equal(trained(x), small(x))


def test_its_picture_has_a_bar_for_each_layer_with_its_rank(network, few):
    curve = Budget(share="rank").prepare(network, few)
    picture = curve.picture(0.3, "fc1")
    assert picture.kind == "bars" and len(picture.values) == len(picture.labels) == len(curve.ranks(0.3))
    rank = curve.ranks(0.3)["fc1"]
    assert f"fc1: rank {rank}" in picture.labels and picture.title.startswith(f"fc1: rank {rank}")
    share = 100 * curve.costs["fc1"][rank] / curve.costs["fc1"][None]
    assert picture.values[[label.startswith("fc1") for label in picture.labels]].item() == pytest.approx(share)
    with pytest.raises(ValueError, match="'fc4' has no share in the budget"):
        curve.picture(0.3, "fc4")


def test_a_network_without_anything_to_cut_is_left_alone(few):
    model = adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 1), nn.Linear(1, 10)))
    for share in SHARES:
        curve = Budget(share=share).prepare(model, few)
        assert curve.knob.values == (1,) and torch.equal(curve.at(1)[1].weight(), model[1].weight())


def test_what_cannot_be_is_refused_in_a_sentence(network, few):
    with pytest.raises(ValueError, match="share is 'most', but must be one of loss, rank, energy, ratio"):
        Budget(share="most")
    with pytest.raises(ValueError, match="unit is 'time', but must be one of bytes, macs"):
        Budget(unit="time")
    with pytest.raises(ValueError, match="must be a method whose knob is a rank: one of SVD, Spatial"):
        Budget(Magnitude())
    with pytest.raises(ValueError, match="one layer alone has nothing to share"):
        Budget().prepare(network, few, where="fc1")
    with pytest.raises(ValueError, match="the loss is measured on pictures"):
        Budget().prepare(network)
    with pytest.raises(ValueError, match="multiplies depends on the pictures' size"):
        Budget(share="energy", unit="macs").prepare(network)
    curve = Budget(share="ratio").prepare(network)
    with pytest.raises(ValueError, match="budget is 0.33, but must be one of"):
        curve.at(0.33)
    with pytest.raises(ValueError, match="no loss was measured"):
        Budget(share="ratio").prepare(adopt(nn.Sequential(nn.Linear(20, 20)))).losses  # noqa: B018


def test_ranks_chosen_by_hand_are_cut(network):
    small = cut(network, {"conv2": 3, "fc1": 7, "fc2": None})
    s = torch.linalg.svdvals(small.fc1.weight())
    assert int((s > 1e-5 * s[0]).sum()) == 7 and small.conv2.weight.u.shape == (12, 3)
    assert torch.equal(small.fc2.weight(), network.fc2.weight())
    for rank in (0, 39, 2.5, True and "8"):
        with pytest.raises(ValueError, match="rank of fc1 is .*, but must be from 1 to 38, or None"):
            cut(network, {"fc1": rank})
    with pytest.raises(ValueError, match="'fc9' does not exist"):
        cut(network, {"fc9": 1})
    with pytest.raises(ValueError, match="holds 2 matrices"):
        cut(small, {"fc1": 1})
