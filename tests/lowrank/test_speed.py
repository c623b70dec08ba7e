"""The rank is the largest that keeps within the multiplications, and the table sets them beside the time."""

import pytest
import torch
from torch import nn

from labkit import adopt, zoo
from labkit.lowrank import SVD, Spatial, Tucker2
from labkit.lowrank.speed import cut_to, speed
from labkit.macs import macs

SHAPE = (1, 28, 28)


@pytest.mark.parametrize("method", [SVD(), Spatial(), Tucker2()], ids=lambda method: method.title)
@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_the_next_rank_would_take_too_many_multiplications(method, share):
    network = zoo.load("LeNet-5")
    curve = method.prepare(network)
    rank, small = cut_to(curve, SHAPE, share)
    allowed = share * macs(network, SHAPE)
    assert macs(small, SHAPE) == macs(curve.at(rank), SHAPE) <= allowed
    assert all(macs(curve.at(more), SHAPE) > allowed for more in curve.knob.values if more > rank)


def test_the_table_has_both_factors_for_each_network():
    torch.manual_seed(0)
    network = adopt(nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(4608, 10)))
    networks = {"dense": network} | {
        method.title: cut_to(method.prepare(network), SHAPE, 0.6)[1] for method in (SVD(), Spatial())
    }
    table = speed(networks, SHAPE, batches=(1, 2), rounds=3)
    assert [row[0][0] for row in table.rows] == ["dense", "Truncated SVD", "Spatial scheme"]
    assert all(float(row[2][1].split()[1]) >= 1 / 0.6 for row in table.rows[1:])
    assert all("×" in row[4][0] and "×" in row[6][0] for row in table.rows) and table.rows[0][4][1].endswith("control")


def test_mistakes_are_named():
    curve = SVD().prepare(zoo.load("LeNet-5"))
    for share in (0, 1.5, -1):
        with pytest.raises(ValueError, match="must be above 0 and at most 1"):
            cut_to(curve, SHAPE, share)
    with pytest.raises(ValueError, match="rank 1 takes .* but 22 are allowed"):
        cut_to(curve, SHAPE, 1e-5)
    with pytest.raises(ValueError, match="rounds is 2"):
        speed({"dense": zoo.load("LeNet-300-100")}, SHAPE, rounds=2)
