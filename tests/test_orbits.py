"""Normalisations and pools of orbits against plain ones, in training, folded, and in a file."""

import copy

import pytest
import torch
from torch import nn

from labkit import adopt, zoo
from labkit.deploy import deployed
from labkit.folding import fold
from labkit.orbits import OrbitBias, OrbitNorm, OrbitPool, shared
from labkit.storage import FileError, kinds, load, save
from tests.networks import close, shaken


def plain(features: int = 8) -> nn.BatchNorm2d:
    return shaken(nn.Sequential(nn.BatchNorm2d(features)))[0]


def test_it_normalises_all_maps_of_a_filter_alike_in_training_and_after_it():
    norm, x = OrbitNorm(nn.BatchNorm3d(2), 4).train(), torch.randn(5, 8, 3, 3) * 3 + 1
    y = norm(x).unflatten(1, (2, 4))
    torch.testing.assert_close(y.mean((0, 2, 3, 4)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var((0, 2, 3, 4), correction=0), torch.ones(2), atol=1e-3, rtol=0)
    torch.testing.assert_close(norm.norm.running_mean, 0.1 * x.unflatten(1, (2, 4)).mean((0, 2, 3, 4)))


def test_its_numbers_are_those_of_a_plain_one_for_each_map():
    norm = shared(plain(), 4)
    twin = nn.BatchNorm2d(8).eval()
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(twin, name).data = getattr(norm, name).detach()
    x = torch.randn(2, 8, 5, 5)
    torch.testing.assert_close(norm(x), twin(x))
    assert norm.eps == twin.eps and not norm.training


def test_numbers_that_are_alike_already_stay_as_they_are():
    norm = plain()
    for name in ("weight", "bias", "running_mean", "running_var"):
        tensor = getattr(norm, name).data
        tensor.copy_(tensor[::4].repeat_interleave(4))
    x = torch.randn(2, 8, 5, 5)
    torch.testing.assert_close(shared(norm, 4)(x), norm(x))


def test_the_pool_takes_the_largest_of_an_orbit():
    x = torch.randn(3, 8, 4, 4)
    assert torch.equal(OrbitPool(4)(x), torch.stack([x[:, :4].amax(1), x[:, 4:].amax(1)], 1))


@pytest.mark.parametrize("name", ["P4CNN", "P4CNN-pooled"])
def test_it_is_folded_into_the_convolution_before_it_and_comes_back_from_a_file(name, tmp_path):
    model = adopt(shaken(zoo.build(name))).eval()
    for path in [path for path, part in model.named_modules() if type(part) is nn.BatchNorm2d]:
        model.set_submodule(path, shared(model.get_submodule(path), 4))
    x = torch.randn(3, 1, 28, 28)
    net, _ = fold(model)
    assert not any(isinstance(part, OrbitNorm) for part in net.modules())
    close(net(x), model(x))
    close(deployed(copy.deepcopy(model))(x), model(x))
    save(model, tmp_path / "one.safetensors")
    assert torch.equal(load(tmp_path / "one.safetensors")(x), model(x))


@pytest.mark.parametrize("turns", [0, -1, 2.0, None, 2**20])
def test_a_file_cannot_name_a_senseless_number_of_turns(turns):
    norm = kinds.describe(shared(plain(), 4), lambda tensor: tensor)["OrbitNorm"]
    with pytest.raises(FileError, match="number of turns"):
        kinds.build("OrbitNorm", [turns, *norm[1:]], lambda tensor: tensor)
    with pytest.raises(FileError, match="lacks a part"):
        kinds.build("OrbitNorm", [4, norm[1], None, *norm[3:]], lambda tensor: tensor)
    for bias in ([turns, torch.zeros(2)], [4, None], [4, torch.zeros(2, 2)], [4, torch.zeros(2, dtype=torch.int64)]):
        with pytest.raises(FileError, match="an OrbitBias lacks a part"):
            kinds.build("OrbitBias", bias, lambda tensor: tensor)


def test_a_bias_of_orbits_is_one_for_all_maps_of_a_filter():
    bias, x = OrbitBias(torch.tensor([1.0, -2.0]), 4), torch.randn(3, 8, 2, 2)
    expected = x + torch.tensor([1.0] * 4 + [-2.0] * 4).view(8, 1, 1)
    torch.testing.assert_close(bias(x), expected)
    bias(x).sum().backward()
    assert bias.values.grad.tolist() == [48.0, 48.0]  # 3 pictures, 4 maps, 4 places
