"""The sensitivity scan finds what compressing by hand finds, and the settings follow from it."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from labkit import adopt, layers
from labkit.lowrank import SVD
from labkit.measure import accuracy
from labkit.methods import Knob
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.sensitivity import balanced, by_layer, coarse_to_fine, collect, mild_to_strong, scan, strongest
from tests.networks import fashion

VALUES = (0, 0.5, 0.9, 0.999)


@pytest.fixture(scope="module")
def network():
    """Two layers, untrained: what a scan finds in them need not be good."""
    torch.manual_seed(0)
    return adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 12), nn.ReLU(), nn.Linear(12, 10))).eval()


@given(st.integers(1, 70))
def test_every_position_comes_once_and_the_gaps_halve(count):
    levels = coarse_to_fine(count)
    assert sorted(index for level in levels for index in level) == list(range(count))
    seen = sorted(levels[0] + (levels[1] if count > 1 else []))
    for level in levels[2:]:
        widest = max(high - low for low, high in pairwise(seen))
        seen = sorted(seen + level)
        assert max(high - low for low, high in pairwise(seen)) <= (widest + 1) // 2


def test_a_scan_finds_what_compressing_one_layer_by_hand_finds(network):
    data = fashion()
    exact = list(scan(network, Magnitude(), data, VALUES, measure=lambda model: accuracy(model, data).value))
    points = list(scan(network, Magnitude(), data, VALUES, images=len(data.validation)))
    assert [point[:2] for point in points[:4]] == [("1", 0), ("3", 0), ("1", 0.999), ("3", 0.999)]
    assert len(points) == 2 * len(VALUES)
    for (layer, value, found), (*_, estimated) in zip(exact, points, strict=True):
        by_hand = layers.replace(network, {})
        weight = by_hand.get_submodule(layer).weight.values.data
        smallest = weight.abs().flatten().argsort(stable=True)[: round(value * weight.numel())]
        weight.view(-1)[smallest] = 0
        assert found == accuracy(by_hand, data).value
        assert estimated == pytest.approx(found, abs=0.02)  # in bfloat16, where the processor has it


def test_strongest_against_a_table_by_hand():
    table = {"a": {0: 0.90, 0.5: 0.895, 0.9: 0.85}, "b": {8: 0.90, 4: 0.89, 2: 0.20}, "c": {0: 0.7, 1: 0.3}}
    assert strongest(table, 0) == {"a": 0, "b": 8, "c": 0}
    assert strongest(table, 0.01) == {"a": 0.5, "b": 4, "c": 0}
    assert strongest(table, 0.7) == {"a": 0.9, "b": 2, "c": 1}
    assert strongest(table, 0.01, reference=0.91)["b"] == 8
    points = [(layer, value, found) for layer, curve in table.items() for value, found in curve.items()]
    assert collect(points) == table and strongest(iter(points), 0.01) == strongest(table, 0.01)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0, 1), st.floats(0, 1))
def test_more_tolerance_never_chooses_milder_values(accuracies, low, high):
    table = {"a": dict(enumerate(accuracies))}
    low, high = sorted((low, high))
    assert strongest(table, low)["a"] <= strongest(table, high)["a"]


def test_by_layer_leaves_the_others_alone_and_counts_the_zeros(network):
    compressed = by_layer(network, Magnitude(), {"1": 0.9})
    assert float((compressed.get_submodule("1").weight() == 0).float().mean()) == pytest.approx(0.9, abs=1e-4)
    assert torch.equal(compressed.get_submodule("3").weight(), network.get_submodule("3").weight())
    both = by_layer(network, Magnitude(), {"1": 0.9, "3": 0.5})
    assert float((both.get_submodule("3").weight() == 0).float().mean()) == 0.5


@pytest.mark.parametrize("share", [0, 0.3, 0.5, 0.8, 0.98])
def test_balanced_is_the_smallest_loss_that_reaches_the_share(network, share):
    table = {"1": {0: 0.9, 0.5: 0.89, 0.9: 0.7, 0.99: 0.5}, "3": {0: 0.9, 0.5: 0.6, 0.9: 0.3}}
    loss = balanced(table, network, share)

    def zeros(tolerated):
        model = by_layer(network, Magnitude(), strongest(table, tolerated))
        weights = [layer.weight() for layer in layers.layers(model).values()]
        return sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)

    assert zeros(loss) >= share - 1e-3
    assert loss == 0 or zeros(loss - 1e-6) < share


def test_knobs_run_from_mild_to_strong_whichever_way_they_are_written():
    assert mild_to_strong(KMeans.knob)[0] == 8 and mild_to_strong(Magnitude.knob)[0] == 0
    assert mild_to_strong(Knob("one", "one", (3,), 3)) == (3,)


def test_each_layer_has_its_own_knob_and_what_a_method_refuses_is_left_out(network):
    found = collect(scan(network, SVD(), fashion(200), images=50))
    ends = {layer: (next(iter(curve)), list(curve)[-1]) for layer, curve in found.items()}
    assert ends == {"1": (11, 1), "3": (5, 1)}  # from the break-even ranks of 12 x 784 and 10 x 12

    class Picky(KMeans):
        def prepare(self, model, data=None, where=None):
            if where == "3":
                raise ValueError("not this one")
            return super().prepare(model, data, where)

    assert list(collect(scan(network, Picky(), fashion(200), images=50))) == ["1"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda net: strongest({}, 3), "loss is 3, but must be a share"),
        (lambda net: scan(net, Magnitude(), fashion(200), images=0), "images is 0"),
        (lambda net: scan(net, Magnitude(), fashion(200), []), "values is empty"),
        (lambda net: list(scan(net, Magnitude(), fashion(200), [2])), "sparsity is 2, but must be one of"),
        (lambda net: scan(nn.Linear(2, 2), Magnitude(), fashion(200)), "call labkit.adopt"),
        (lambda net: by_layer(net, Magnitude(), {"fc9": 0.5}), "layer 'fc9' does not exist"),
        (lambda net: balanced({"1": {8: 0.9}}, net, 0.5), "no shares of zeros"),
        (lambda net: balanced({"fc9": {0: 0.9}}, net, 0.5), "not in this network"),
        (lambda net: balanced({"1": {0: 0.9, 0.5: 0.8}}, net, 0.9), "out of reach"),
        (lambda net: balanced({"1": {0: 0.9}}, net, float("nan")), "out of reach"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(network, call, said):
    with pytest.raises(ValueError, match=said):
        call(network)


def test_a_method_that_treats_no_layer_alone_says_so(network):
    class Whole(KMeans):
        title = "whole networks only"

        def prepare(self, model, data=None, where=None):
            raise ValueError("give the whole network")

    with pytest.raises(ValueError, match="whole networks only treats no layer of this network alone: give the whole"):
        next(scan(network, Whole(), fashion(200)))
