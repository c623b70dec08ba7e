"""The loss is the KL divergence, as computed by PyTorch from the networks themselves, and it falls as budgets rise."""

from itertools import pairwise

import pytest

from labkit import zoo
from labkit.lowrank.budget import Budget
from labkit.lowrank.cut import cut
from labkit.lowrank.measured import LEAST, Probe
from labkit.lowrank.shares import equal_energy, equal_rank, equal_ratio
from tests.lowrank.budgets import divergence, few, noise, odd


@pytest.fixture(scope="module")
def network():
    return zoo.load("LeNet-300-100")


@pytest.fixture(scope="module")
def data():
    return few()


@pytest.fixture(scope="module")
def curve(network, data):
    return Budget().prepare(network, data)


@pytest.fixture(scope="module")
def probe(curve, data):
    return Probe(curve.ladders, data)


def test_the_network_left_alone_loses_nothing(probe):
    assert probe.loss(probe.whole) == 0


def test_the_loss_of_a_choice_is_that_of_the_network(network, data, curve, probe):
    for value in (0.1, 0.3, 0.05, 0.7):  # up and down: what was put in has to be taken out again
        expected = divergence(network, curve.at(value), data)
        assert probe.loss(curve.choices[value]) == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_the_loss_of_a_network_with_a_shortcut_and_a_shared_weight_is_that_of_the_network():
    network, data = odd(), noise()
    curve = Budget().prepare(network, data)
    probe = Probe(curve.ladders, data)
    assert probe.loss(probe.whole) == 0
    for value in curve.knob.values:
        expected = divergence(network, curve.at(value), data)
        assert probe.loss(curve.choices[value]) == pytest.approx(expected, rel=1e-3, abs=1e-7)


def test_the_loss_of_one_layer_is_measured_where_it_says_so(network, data, curve):
    losses = curve.losses
    assert {name: table[None] for name, table in losses.items()} == {"fc1": 0, "fc2": 0, "fc3": 0}
    for layer, table in losses.items():
        ranks = sorted(rank for rank in table if rank)
        assert all(table[low] >= table[high] for low, high in pairwise(ranks))
        low, high = (divergence(network, cut(network, {layer: rank}), data) for rank in (ranks[0], ranks[-1]))
        assert table[ranks[-1]] == pytest.approx(max(high, LEAST), rel=1e-3)
        assert low * 0.999 <= table[ranks[0]] < 2 * low  # more where a higher rank was measured to lose more


def test_a_higher_budget_never_loses_more(network, data, curve):
    measured = [divergence(network, curve.at(value), data) for value in curve.knob.values]
    assert all(after <= before + 1e-6 for before, after in pairwise(measured))
    assert measured[0] > 0.1 and measured[-1] == 0


@pytest.mark.parametrize("value", [0.07, 0.1, 0.15, 0.2, 0.3])
@pytest.mark.parametrize("rule", [equal_rank, equal_energy, equal_ratio])
def test_it_loses_no_more_than_rules_that_see_no_picture(curve, probe, rule, value):
    other = rule(curve.ladders, "bytes", value * curve.total)
    assert probe.loss(curve.choices[value]) <= probe.loss(other) + LEAST
