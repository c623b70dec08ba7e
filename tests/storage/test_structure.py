"""What a file says about layers: changed ones, shared ones, and Weights that a later section defines."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from labkit import layers, zoo
from labkit.storage import size
from labkit.weights import Codebook, Dense, LowRank, Sparse, Weight
from tests.storage.networks import assert_same, network, saved_and_loaded


class Scaled(Weight):
    """A Weight as a later section might write it: signed 64-bit numbers, a factor, an optional part."""

    def __init__(self, steps, scale, shift, exact):
        super().__init__()
        self.register_buffer("steps", steps)
        self.scale, self.shift, self.exact = scale, shift, exact

    @property
    def shape(self):
        return self.steps.shape

    def forward(self):
        return self.steps.double().mul(2.0**-self.scale).float() + (0 if self.shift is None else self.shift())


def test_layers_may_have_changed_shape_and_kind(tmp_path):
    model = network("VGG")
    thin = Dense(torch.randn(8, 32, 3, 1))
    pair = nn.Sequential(
        layers.Conv2d(thin, None, padding=(1, 0)), layers.Conv2d(Dense(torch.randn(32, 8, 1, 3)), None, padding=(0, 1))
    )
    norm = nn.BatchNorm2d(48, eps=1e-3, momentum=None)
    norm.running_mean.normal_()
    changed = layers.replace(
        model,
        {
            "conv2": pair,
            "conv3": layers.Conv2d(Dense(torch.randn(48, 32, 3, 3)), torch.randn(48), padding=1),
            "bn3": norm,
            "relu3": nn.LeakyReLU(0.2),
            "conv4": layers.Conv2d(Dense(torch.randn(64, 48, 3, 3)), None, padding=1),
            "bn5": nn.Identity(),
        },
    ).eval()
    again = saved_and_loaded(changed, tmp_path)
    assert_same(changed, again)
    assert again.bn3.eps == 1e-3 and again.bn3.momentum is None and again.relu3.negative_slope == 0.2
    images = torch.randn(2, 1, 28, 28)
    with torch.inference_mode():
        assert torch.equal(changed(images), again(images))


def test_layers_may_have_come_and_gone(tmp_path):
    model = network("LeNet-5")
    named = [(name, child) for name, child in model.named_children() if name != "relu1"]
    named.insert(2, ("drop", nn.Dropout(0.25)))
    changed = zoo.Network(OrderedDict(named))
    changed.origin = model.origin
    again = saved_and_loaded(changed.eval(), tmp_path)
    assert_same(changed, again)
    assert again.origin == model.origin and again.drop.p == 0.25


def test_shared_weights_are_stored_once_and_stay_shared(tmp_path):
    weight = Sparse(torch.tensor([0, 3, 5]), Codebook(torch.tensor([0, 1, 0]), torch.tensor([0.1, 0.2])), (3, 3))
    tied = nn.Sequential(layers.Linear(weight, torch.zeros(3)), nn.ReLU(), layers.Linear(weight))
    again = saved_and_loaded(tied, tmp_path)
    assert again[0].weight is again[2].weight
    apart = nn.Sequential(layers.Linear(weight, torch.zeros(3)), nn.ReLU(), layers.Linear(layers.replace(weight, {})))
    assert size(tied).total < size(apart).total
    assert set(size(tied).parts) == {"0", "structure"}


def test_a_shared_parameter_stays_shared(tmp_path):
    values = nn.Parameter(torch.randn(4, 4))
    again = saved_and_loaded(nn.Sequential(layers.Linear(Dense(values)), layers.Linear(Dense(values))), tmp_path)
    assert again[0].weight.values is again[1].weight.values


@pytest.mark.parametrize(
    "shift", [None, Dense(torch.randn(3, 2)), Codebook(torch.zeros(3, 2, dtype=int), torch.ones(1))]
)
def test_a_weight_defined_elsewhere_comes_back_by_its_arguments(tmp_path, shift):
    steps = torch.tensor([[-(2**62), 5], [0, -1], [2**62, 7]])
    again = saved_and_loaded(layers.Linear(Scaled(steps, 60, shift, True)), tmp_path)
    assert torch.equal(again.weight.steps, steps)
    assert (again.weight.scale, again.weight.exact) == (60, True)


def test_memory_order_is_kept_so_that_sums_round_alike(tmp_path):
    u, _, v = torch.linalg.svd(torch.randn(60, 40), full_matrices=False)
    model = layers.Linear(LowRank(u.T.contiguous().T, v.T.contiguous().T, (60, 40)))
    again = saved_and_loaded(model, tmp_path)
    assert again.weight.u.values.stride() == model.weight.u.values.stride() == (1, 60)
    images = torch.randn(33, 40)
    with torch.inference_mode():
        assert torch.equal(model(images), again(images))
