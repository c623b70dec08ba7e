"""What the transferring methods replace and refuse, train and draw, and how they compose."""

import copy

import pytest
import torch
from torch import nn

from labkit import adopt, layers, zoo
from labkit.filters import METHODS, P4, CReLU, DoublyConvolutional, MultiBias
from labkit.filters.base import Transfer
from labkit.measure import macs
from labkit.orbits import OrbitNorm
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.replacing import stored
from labkit.storage import load, save, size
from labkit.train import Recipe
from labkit.weights import Dense, LowRank, Transferred
from tests.pictures import few

TRANSFERS = [method for method in METHODS if issubclass(method, Transfer)]
VALUES = {CReLU: 2, MultiBias: 4, DoublyConvolutional: 4, P4: 4}


def shared(model):
    """The convolutions whose filters are shared; with a bias of orbits, such a one is the first of a row of two."""
    found = layers.layers(model).items()
    return [path.replace("conv1.conv", "conv1") for path, layer in found if isinstance(layer.weight, Transferred)]


def first(model):
    return next(iter(layers.layers(model).values())).weight


@pytest.mark.parametrize("method", TRANSFERS)
@pytest.mark.parametrize("start", ["nearest", "random"])
@pytest.mark.parametrize("name", ["LeNet-5", "VGG", "ResNet-20"])
def test_convolutions_are_shared_matrices_are_not_and_the_file_says_so(method, start, name, tmp_path):
    torch.manual_seed(0)
    model = zoo.load(name)
    curve = method(start).prepare(model)
    small = curve.at(VALUES[method]).eval()
    convolutions = [path for path, layer in layers.layers(model).items() if isinstance(layer, layers.Conv2d)]
    expected = convolutions[:1] if (method, name) == (P4, "LeNet-5") else convolutions  # 50 is no multiple of 4
    assert expected == shared(small) or method is DoublyConvolutional  # whose 1 x 1 filters have nothing to share
    written = save(small, tmp_path / "small.safetensors")
    x = torch.randn(3, 1, 28, 28)
    assert torch.equal(load(tmp_path / "small.safetensors")(x), small(x)) and written == size(small).total
    ratio = macs(small, (1, 28, 28)) / macs(model, (1, 28, 28))
    assert ratio == 1 if method in (P4, DoublyConvolutional) else ratio < 0.75
    assert shared(curve.at(1)) == [] and shared(model) == []


@pytest.mark.parametrize("method", TRANSFERS)
def test_one_layer_alone(method):
    small = method().prepare(zoo.load("VGG"), where="conv3").at(VALUES[method])
    assert shared(small) == ["conv3"]
    assert small.conv3.weight.shape == (64, 32, 3, 3) and type(small.fc1.weight) is Dense


def test_filters_that_cannot_be_shared_stay_as_they_are():
    model = adopt(nn.Sequential(nn.Conv2d(1, 3, 3), nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, groups=2)))
    assert shared(MultiBias().prepare(model).at(4)) == ["1"]  # three filters are fewer than four copies
    assert shared(DoublyConvolutional().prepare(model).at(4)) == []  # a window of 1 x 1 shares nothing
    assert shared(P4().prepare(model).at(4)) == ["1.conv"]
    curve = DoublyConvolutional().prepare(model)
    assert "each stored for itself" in curve.picture(4, "1").title
    oblong = adopt(nn.Sequential(nn.Conv2d(1, 8, (3, 5)), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)))
    small = P4().prepare(oblong).at(4)
    assert shared(small) == ["2.conv"] and type(small[1]) is nn.BatchNorm2d and type(small[3]) is OrbitNorm
    assert "each stored for itself" in P4().prepare(oblong).picture(4, "0").title


def test_what_cannot_be_shared_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="start is 'trained', but must be one of nearest, random"):
        CReLU("trained")
    with pytest.raises(ValueError, match="layer 'fc1' is no plain convolution: choose one of conv1, conv2"):
        CReLU().prepare(zoo.load("LeNet-5"), where="fc1")
    with pytest.raises(ValueError, match="no plain convolution"):
        P4().prepare(zoo.load("LeNet-300-100"))
    with pytest.raises(ValueError, match="layer 'conv9' does not exist"):
        P4().prepare(zoo.load("LeNet-5"), where="conv9")
    with pytest.raises(ValueError, match="copies is 3, but must be one of 1, 4"):
        P4().prepare(zoo.load("LeNet-5")).at(3)
    broken = adopt(nn.Sequential(nn.Conv2d(1, 4, 3)))
    with torch.no_grad():
        broken[0].weight.values[0] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        CReLU().prepare(broken)
    factors = adopt(nn.Sequential(nn.Conv2d(4, 4, 3)))
    factors[0].weight = LowRank(torch.randn(4, 2), torch.randn(2, 36), (4, 4, 3, 3))
    with pytest.raises(ValueError, match="factorised already"):
        CReLU().prepare(factors)


@pytest.mark.parametrize("method", TRANSFERS)
def test_training_moves_only_the_stored_filters(method):
    torch.manual_seed(0)
    curve = method("random").prepare(zoo.load("LeNet-5"))
    before = curve.at(VALUES[method])
    *_, (_, after) = curve.train(VALUES[method], few(256, 50), Recipe(epochs=1, learning_rate=0.05))
    assert shared(after) == shared(before) and stored(after) == stored(before)
    assert not torch.allclose(first(after)(), first(before)())
    again = type(first(after))(**first(after).arguments())
    assert torch.equal(again(), first(after)())


def test_methods_of_other_sections_go_before_and_after(tmp_path):
    model = zoo.load("VGG")
    quantized = KMeans().prepare(P4().prepare(model).at(4)).at(4)
    assert type(quantized.conv2.weight).__name__ == "Rotated"
    assert type(quantized.conv2.weight.filters).__name__ == "Codebook"
    save(quantized, tmp_path / "small.safetensors")
    x = torch.randn(2, 1, 28, 28)
    assert torch.equal(load(tmp_path / "small.safetensors")(x), quantized.eval()(x))
    assert size(quantized).total < size(P4().prepare(model).at(4)).total / 5
    pruned = Magnitude().prepare(CReLU().prepare(model).at(2)).at(0.5)
    assert size(pruned).total < size(CReLU().prepare(model).at(2)).total
    after = CReLU().prepare(Magnitude().prepare(model).at(0.5)).at(2)
    assert "conv2" in shared(after)


@pytest.mark.parametrize("method", TRANSFERS)
def test_the_picture_shows_each_stored_filter_beside_its_copies(method):
    curve = method().prepare(zoo.load("VGG"))
    shown, weight = curve.picture(VALUES[method], "conv1"), curve.at(VALUES[method]).conv1.weight
    copies = weight.copies
    assert shown.kind == "filters" and shown.values.shape[1:] == (4, 4 * copies)
    first = weight()[:copies, 0].detach().numpy()
    for index in range(copies):
        assert (shown.values[0][:3, 4 * index : 4 * index + 3] == first[index]).all()
    assert f"{stored(weight):,} numbers for 288" in shown.title and "squared norm kept" in shown.text
    assert "32 filters, each stored for itself" in curve.picture(1, "conv1").title


def test_dice_are_torchs_and_the_model_stays_as_it_was():
    model = zoo.load("LeNet-5")
    before, found = copy.deepcopy(model.state_dict()), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        curve = CReLU("random").prepare(model)
        state = torch.get_rng_state()
        found.append(curve.at(2).conv1.weight())
        assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
