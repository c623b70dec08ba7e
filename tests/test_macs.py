"""What is counted from the known uses of layers is what a forward pass counts."""

import pytest
from torch import nn

from labkit import adopt, zoo
from labkit.lowrank import SVD
from labkit.macs import calls, counted, macs, same_layers
from labkit.pruning import Magnitude
from labkit.quantization import KMeans


@pytest.mark.parametrize("method", [SVD(), Magnitude(), KMeans()], ids=lambda method: method.title)
def test_the_uses_of_a_network_hold_for_it_compressed(method):
    network = adopt(zoo.build("LeNet-5"))
    uses, curve = calls(network, (1, 28, 28)), method.prepare(network)
    for value in curve.knob.values[::4]:
        model = curve.at(value)
        assert same_layers(model, uses) and counted(model, uses) == macs(model, (1, 28, 28))


def test_a_layer_used_twice_counts_twice():
    shared = nn.Linear(4, 4)
    assert macs(adopt(nn.Sequential(shared, nn.ReLU(), shared)), (4,)) == 2 * 16


def test_other_layers_are_noticed():
    uses = calls(adopt(nn.Sequential(nn.Linear(4, 2))), (4,))
    assert not same_layers(adopt(nn.Sequential(nn.Linear(4, 1), nn.Linear(1, 2))), uses)
