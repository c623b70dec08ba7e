"""Any network, compressed in any way: its parts add up to its file, and it comes back bit for bit."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from labkit import layers, zoo
from labkit.lowrank import SVD
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.storage import load, save, size
from labkit.weights import Codebook, Dense, LowRank, Sparse, Weight
from tests.compositions import random_weight


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


def bits(tensor):
    tensor = tensor.detach().contiguous()
    return (
        tensor.view({4: torch.int32, 2: torch.int16, 8: torch.int64}[tensor.element_size()])
        if tensor.is_floating_point()
        else tensor
    )


def assert_same(one: nn.Module, other: nn.Module):
    """Same tensors in the same places, of the same types, with the same bits."""
    first, second = one.state_dict(), other.state_dict()
    assert list(first) == list(second)
    for name, tensor in first.items():
        assert tensor.dtype == second[name].dtype and torch.equal(bits(tensor), bits(second[name])), name
    kinds = [(path, type(module)) for path, module in one.named_modules()]
    assert kinds == [(path, type(module)) for path, module in other.named_modules()]
    moved = [name for name, _ in one.named_parameters()]
    assert moved == [name for name, _ in other.named_parameters()]


def saved_and_loaded(model, folder, into=None):
    """Save, check all that `size` promises, and load."""
    path = folder / "model.safetensors"
    before = size(model)
    written = save(model, path)
    assert written == before.total == sum(before.parts.values()) == path.stat().st_size
    assert before == size(model)
    again = load(path, into)
    assert not any(module.training for module in again.modules())
    assert size(again) == before
    return again


@st.composite
def rows_of_layers(draw):
    """A row of one to four layers whose Weights are composed at random, some of them shared."""
    random = np.random.RandomState(draw(st.integers(0, 2**31 - 1)))
    row = []
    for _ in range(draw(st.integers(1, 4))):
        shape = draw(st.lists(st.integers(1, 12), min_size=2, max_size=2))
        if draw(st.booleans()):
            shape += draw(st.lists(st.integers(1, 3), min_size=2, max_size=2))
        weight = random_weight(random, tuple(shape), draw(st.integers(0, 4)))
        bias = torch.from_numpy(random.randn(shape[0]).astype(np.float32)) if draw(st.booleans()) else None
        kind = layers.Linear if len(shape) == 2 else layers.Conv2d
        row.append(kind(weight, bias))
        if draw(st.booleans()):
            row.append(kind(weight, bias))  # the Weight is shared, the bias is not
        if draw(st.booleans()):
            row.append(nn.BatchNorm2d(shape[0]))
    return nn.Sequential(*row)


@settings(max_examples=150)
@given(rows_of_layers())
def test_any_composition_comes_back_and_its_parts_are_its_file(tmp_path_factory, model):
    again = saved_and_loaded(model, tmp_path_factory.getbasetemp())
    assert_same(model, again)
    for path, layer in layers.layers(model).items():
        assert torch.equal(bits(layer.weight()), bits(again.get_submodule(path).weight()))


ROUTES = {
    "dense": lambda model: model,
    "pruned": lambda model: Magnitude("layer").prepare(model).at(0.9),
    "clustered": lambda model: KMeans().prepare(model).at(3),
    "pruned, then clustered": lambda model: KMeans().prepare(Magnitude("layer").prepare(model).at(0.9)).at(3),
    "factorised": lambda model: SVD().prepare(model, where="fc2").at(4),
    "factorised, then clustered": lambda model: KMeans().prepare(SVD().prepare(model, where="fc2").at(4)).at(4),
    "clustered, then pruned": lambda model: Magnitude("layer").prepare(KMeans().prepare(model).at(2)).at(0.5),
}


def network(name, seed=0):
    """An untrained network of the zoo, with statistics that are not those of a new batch normalisation."""
    torch.manual_seed(seed)
    built = zoo.build(name)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.num_batches_tracked += 7
    return layers.adopt(built).eval()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5", "VGG"])
def test_a_network_of_the_zoo_gives_the_same_outputs_bit_for_bit(tmp_path, name, route):
    model = ROUTES[route](network(name)).eval()
    again = saved_and_loaded(model, tmp_path)
    assert again.origin == model.origin == (name, (1, 28, 28), 10)
    assert_same(model, again)
    images = torch.randn(5, 1, 28, 28)
    with torch.inference_mode():
        assert torch.equal(model(images), again(images))


def test_a_network_with_shortcuts_comes_back(tmp_path):
    model = ROUTES["pruned, then clustered"](network("ResNet-20")).eval()
    again = saved_and_loaded(model, tmp_path)
    assert_same(model, again)
    images = torch.randn(2, 1, 28, 28)
    with torch.inference_mode():
        assert torch.equal(model(images), again(images))


@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5"])
@pytest.mark.parametrize("route", ["dense", "clustered", "pruned, then clustered", "factorised, then clustered"])
def test_the_structure_of_a_small_network_takes_under_600_bytes(name, route):
    assert size(ROUTES[route](network(name))).parts["structure"] < 600


def test_the_parts_are_the_layers_that_hold_numbers():
    assert list(size(network("LeNet-5")).parts) == ["conv1", "conv2", "fc1", "fc2", "structure"]
    assert "bn1" in size(network("VGG")).parts


def test_a_pruned_clustered_lenet_is_as_small_as_its_codes(tmp_path):
    model = network("LeNet-300-100")
    found = size(ROUTES["clustered"](model))
    assert 266_200 * 2 / 8 < found.total < 266_200 * 3 / 8 + 410 * 4 + 700
    assert size(model).total > 266_610 * 4


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
