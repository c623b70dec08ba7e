"""Files on disk: networks that were brought along, writing whole or not at all, and what load says."""

import copy
import os

import pytest
import safetensors.torch
import torch
from torch import nn

import labkit
from labkit import layers
from labkit._torchvision import torchvision
from labkit.quantization import KMeans
from labkit.storage import FileError, load, save, size
from labkit.weights import Dense, Weight
from tests.storage.networks import assert_same, network, saved_and_loaded


class Own(nn.Module):
    """A network that the lab does not know, with a state that is not in its layers."""

    def __init__(self, width=6):
        super().__init__()
        self.head = nn.Linear(5, width)
        self.norm = nn.LayerNorm(width)
        self.row = nn.Sequential(nn.Linear(width, 4), nn.ReLU(), nn.LayerNorm(4))
        self.scale = nn.Parameter(torch.rand(3, 2))
        self.register_buffer("table", torch.arange(12).view(3, 4))
        self.register_buffer("passing", torch.ones(2), persistent=False)
        self.missing = None

    def forward(self, x):
        return self.row(self.norm(self.head(x))) * self.scale.sum() + self.table.sum() * self.passing.mean()


@pytest.fixture
def own():
    return labkit.adopt(Own()).eval()


def test_an_own_network_is_filled_with_all_its_state(tmp_path, own):
    model = copy.deepcopy(own)
    model.scale.data += 1
    model.table += 7
    before = copy.deepcopy(own.state_dict())
    again = saved_and_loaded(model, tmp_path, into=own)
    assert_same(model, again)
    assert again is not own and all(torch.equal(tensor, before[name]) for name, tensor in own.state_dict().items())
    assert {"model", "head", "norm", "row.0", "row.2", "structure"} == set(size(model).parts)
    x = torch.randn(3, 5)
    assert torch.equal(model(x), again(x))


@pytest.mark.parametrize("bring", [None, "narrower", "another", "without a layer", "with a layer more"])
def test_a_network_that_does_not_fit_is_refused_and_left_unharmed(tmp_path, own, bring):
    save(own, tmp_path / "own")
    into = {
        None: lambda: None,
        "narrower": lambda: labkit.adopt(Own(5)),
        "another": lambda: network("LeNet-300-100"),
        "without a layer": lambda: layers.replace(own, {"norm": nn.Identity()}),
        "with a layer more": lambda: with_more(own),
    }[bring]()
    before = None if into is None else copy.deepcopy(into.state_dict())
    with pytest.raises(FileError, match="give the|into"):
        load(tmp_path / "own", into=into)
    if into is not None:
        assert all(torch.equal(tensor, before[name]) for name, tensor in into.state_dict().items())


def with_more(model):
    model = copy.deepcopy(model)
    model.more = nn.Linear(2, 2)
    return model


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_networks_of_torchvision_come_back(tmp_path, name):
    torch.manual_seed(0)
    original = labkit.adopt(getattr(torchvision("models"), name)(num_classes=10)).eval()
    where = {"resnet18": "layer1.0.conv1", "mobilenet_v2": "features.1.conv.1"}[name]
    model = KMeans().prepare(original, where=where).at(2).eval()
    again = saved_and_loaded(model, tmp_path, into=original)
    assert_same(model, again)
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(model(x), again(x))


def test_a_layer_may_be_replaced_in_a_network_brought_along(tmp_path, own):
    pair = nn.Sequential(
        layers.Linear(Dense(torch.randn(2, 5))), layers.Linear(Dense(torch.randn(6, 2)), torch.randn(6))
    )
    model = layers.replace(own, {"head": pair, "row.1": nn.Tanh()})
    again = saved_and_loaded(model, tmp_path, into=own)
    x = torch.randn(3, 5)
    assert torch.equal(model(x), again(x)) and type(again.head) is nn.Sequential


def test_a_network_that_was_not_adopted_can_be_saved_too(tmp_path):
    plain = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).eval()
    save(plain, tmp_path / "plain")
    x = torch.randn(2, 4)
    assert torch.equal(load(tmp_path / "plain")(x), plain(x))


def test_it_is_a_safetensors_file_of_one_tensor(tmp_path):
    path = tmp_path / "model.safetensors"
    written = save(network("LeNet-300-100"), path)
    tensors = safetensors.torch.load_file(path)
    assert [(name, tensor.dtype, tensor.ndim) for name, tensor in tensors.items()] == [("labkit", torch.uint8, 1)]
    assert os.path.getsize(path) == written


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save(network("LeNet-300-100"), path)
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError("no space left on the device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        save(network("LeNet-300-100", seed=1), path)
    assert os.listdir(tmp_path) == ["model.safetensors"] and path.read_bytes() == before


def test_what_cannot_be_saved_leaves_nothing(tmp_path):
    class Odd(Weight):
        def __init__(self, name):
            super().__init__()
            self.name = name

        shape = torch.Size((2, 2))

    with pytest.raises(ValueError, match="name of Odd is 'x', but only tensors"):
        save(layers.Linear(Odd("x")), tmp_path / "odd")
    assert os.listdir(tmp_path) == []


def test_two_weights_of_one_name_are_told_apart(tmp_path):
    def make():
        class Twin(Dense):
            pass

        return Twin

    first, _ = make(), make()
    with pytest.raises(ValueError, match="two Weights are called Twin"):
        save(layers.Linear(first(torch.ones(2, 2))), tmp_path / "twin")


@pytest.mark.parametrize("given", [None, "model.safetensors", {}])
def test_something_else_than_a_network_is_refused(tmp_path, given):
    for act in (lambda: size(given), lambda: save(given, tmp_path / "x")):
        with pytest.raises(TypeError, match="model must be a network, not "):
            act()
    save(network("LeNet-300-100"), tmp_path / "x")
    if given is not None:
        with pytest.raises(TypeError, match="into must be a network, not "):
            load(tmp_path / "x", into=given)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    with pytest.raises(FileError, match="cannot be loaded: there is no such file"):
        load(tmp_path / "nothing")
    with pytest.raises(FileError, match="cannot be loaded: it is not a file"):
        load(tmp_path)


def test_an_ordinary_checkpoint_is_told_from_a_file_of_the_lab(tmp_path):
    safetensors.torch.save_file({"weight": torch.ones(3)}, tmp_path / "other")
    with pytest.raises(FileError, match="not one that labkit.save wrote"):
        load(tmp_path / "other")
    torch.save({"weight": torch.ones(3)}, tmp_path / "pickle")
    with pytest.raises(FileError, match="not a file of this lab"):
        load(tmp_path / "pickle")


def test_an_option_that_load_would_refuse_is_refused_by_save(tmp_path):
    with pytest.raises(ValueError, match="an option of a layer is '1000'"):
        save(nn.Sequential(layers.Linear(Dense(torch.ones(2, 2))), nn.MaxPool2d(1000)), tmp_path / "wide")
    assert os.listdir(tmp_path) == []
