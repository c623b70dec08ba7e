"""What the methods share: which layers are replaced, what is refused, and a network like any other."""

import copy

import pytest
import torch
from torch import nn

from labkit import adopt, layers, zoo
from labkit.measure import macs
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.replacing import stored
from labkit.storage import load, save, size
from labkit.structured import METHODS, BlockCirculant, Circulant, Fastfood, Monarch, ToeplitzLike
from labkit.train import Recipe
from labkit.weights import Dense, LowRank
from labkit.weights.toeplitz import displacement
from tests.pictures import few

VALUES = {Circulant: 2, BlockCirculant: 32, ToeplitzLike: 2, Fastfood: 2, Monarch: 4}


@pytest.fixture(scope="module")
def pictures():
    return few(256, 50)


def kinds(model):
    return [type(layer.weight).__name__ for layer in layers.layers(model).values()]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("start", ["nearest", "random"])
def test_all_matrices_but_the_last_are_replaced_and_the_file_says_so(method, start, tmp_path):
    model = zoo.load("LeNet-300-100")
    small = method(start).prepare(model).at(VALUES[method])
    assert kinds(small) == [method.__name__, method.__name__, "Dense"] and kinds(model) == ["Dense"] * 3
    written = save(small, tmp_path / "small.safetensors")
    again = load(tmp_path / "small.safetensors")
    x = torch.randn(3, 1, 28, 28)
    assert torch.equal(small(x), again(x)) and written == size(small).total < 4 * stored(small) + 1500
    assert macs(small, (1, 28, 28)) == sum(layer.weight.macs() for layer in layers.layers(small).values())


@pytest.mark.parametrize("method", METHODS)
def test_one_layer_alone_and_a_network_with_only_one(method):
    model = zoo.load("LeNet-300-100")
    curve = method("random").prepare(model, where="fc2")
    small = curve.at(curve.knob.values[0] if method is ToeplitzLike else curve.knob.values[-1])
    assert kinds(small) == ["Dense", method.__name__, "Dense"]
    only = method("random").prepare(zoo.load("ResNet-20"))
    assert list(only.fits) == ["fc.weight"]


def test_a_matrix_that_would_grow_stays_as_it_is():
    model = adopt(nn.Sequential(nn.Linear(4, 40), nn.Linear(40, 40), nn.Linear(40, 3)))
    curve = ToeplitzLike("random").prepare(model)
    assert kinds(curve.at(4)) == ["Dense", "ToeplitzLike", "Dense"]  # 2 * 40 * 4 numbers for 160
    assert "left as it is" in curve.picture(4, "0").title


def test_what_cannot_be_structured_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="start is 'trained', but must be one of nearest, random"):
        Circulant("trained")
    with pytest.raises(ValueError, match="layer 'conv1' is a convolution"):
        Circulant().prepare(zoo.load("LeNet-5"), where="conv1")
    with pytest.raises(ValueError, match="no fully connected layer"):
        Circulant().prepare(adopt(nn.Sequential(nn.Conv2d(1, 2, 3))))
    with pytest.raises(ValueError, match="layer 'fc9' does not exist"):
        Circulant().prepare(zoo.load("LeNet-5"), where="fc9")
    broken = adopt(nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 2)))
    with torch.no_grad():
        broken[0].weight.values[0, 0] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        Monarch().prepare(broken)
    with pytest.raises(ValueError, match="must be one of"):
        BlockCirculant().prepare(zoo.load("LeNet-300-100")).at(3)


@pytest.mark.parametrize("method", METHODS)
def test_training_moves_only_the_numbers_of_the_structure(method, pictures):
    curve = method("random").prepare(zoo.load("LeNet-300-100"))
    before = curve.at(VALUES[method])
    *_, (_, after) = curve.train(VALUES[method], pictures, Recipe(epochs=2, learning_rate=0.002, optimiser="adam"))
    assert kinds(after) == kinds(before) and stored(after) == stored(before)
    assert not torch.allclose(after.fc1.weight(), before.fc1.weight())
    if method is ToeplitzLike:
        assert torch.linalg.matrix_rank(displacement(after.fc1.weight.whole().detach()), rtol=1e-4) <= 2


def test_methods_of_other_sections_go_before_and_after(tmp_path):
    model = zoo.load("LeNet-300-100")
    quantized = KMeans().prepare(Monarch().prepare(model).at(16)).at(4)
    assert type(quantized.fc1.weight).__name__ == "Monarch" and type(quantized.fc1.weight.first).__name__ == "Codebook"
    save(quantized, tmp_path / "small.safetensors")
    x = torch.randn(2, 1, 28, 28)
    assert torch.equal(load(tmp_path / "small.safetensors")(x), quantized(x))
    assert size(quantized).total < size(Monarch().prepare(model).at(16)).total / 5
    pruned = Magnitude().prepare(ToeplitzLike().prepare(model).at(4)).at(0.5)
    assert size(pruned).total < size(ToeplitzLike().prepare(model).at(4)).total
    factors = adopt(nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 5)))
    factors[0].weight = LowRank(torch.randn(64, 32), torch.randn(32, 64), (64, 64))
    inside = BlockCirculant().prepare(factors).at(16)
    assert type(inside[0].weight.u).__name__ == type(inside[0].weight.v).__name__ == "BlockCirculant"


@pytest.mark.parametrize("method", METHODS)
def test_the_picture_shows_a_corner_and_says_what_is_stored(method):
    curve = method().prepare(zoo.load("LeNet-300-100"))
    value = VALUES[method]
    shown, weight = curve.picture(value, "fc1"), curve.at(value).fc1.weight
    assert shown.kind == "matrix" and torch.equal(torch.from_numpy(shown.values), weight().detach()[:40, :40])
    assert shown.title == f"fc1: {stored(weight):,} numbers for 235,200" and "squared norm kept" in shown.text


def test_a_layer_that_is_not_structured_yet_is_shown_as_it_is():
    curve = Circulant().prepare(zoo.load("LeNet-300-100"))
    assert curve.picture(1, "fc2").title == "fc2: dense" and "numbers for" in curve.picture(2, "fc2").title


@pytest.mark.parametrize("method", METHODS)
def test_dice_are_torchs_and_only_thrown_in_prepare(method):
    model = zoo.load("LeNet-300-100")
    curves = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        curves.append(method("random").prepare(model))
    state = torch.get_rng_state()
    one, same, other = (curve.at(VALUES[method]).fc1.weight() for curve in curves)
    assert torch.equal(one, same) and not torch.equal(one, other) and torch.equal(state, torch.get_rng_state())


def test_the_model_itself_stays_as_it_was():
    model = zoo.load("LeNet-300-100")
    before = copy.deepcopy(model.state_dict())
    for method in METHODS:
        method().prepare(model).at(VALUES[method])
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert isinstance(model.fc1.weight, Dense)
