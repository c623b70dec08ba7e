"""The binary and ternary family: the knob counts layers, every step stores less, and all of it learns and composes."""

from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from torch import nn

from labkit import adopt, data, load, save, size, zoo
from labkit.evaluate import Evaluator
from labkit.layers import leaves
from labkit.lowrank import SVD
from labkit.measure import accuracy
from labkit.pruning import Magnitude
from labkit.quantization import LSQ, BinaryConnect, BinaryScaled, LossAware, Ternary
from labkit.train import Recipe, square_hinge

FAMILY = [BinaryConnect, BinaryScaled, LossAware, Ternary]


@pytest.fixture(scope="module")
def images():
    """MNIST with few pictures to train on, so that the curvature is found quickly."""
    whole = data.load("MNIST")
    return replace(whole, train=whole.train.take(slice(0, 640)))


@pytest.fixture(autouse=True)
def few_pictures_for_the_curvature(monkeypatch):
    monkeypatch.setattr("labkit.quantization.lossaware.IMAGES", 20)


@pytest.fixture
def network():
    torch.manual_seed(0)
    parts = dict(
        conv=nn.Conv2d(1, 6, 5),
        pool=nn.MaxPool2d(4),
        flatten=nn.Flatten(),
        fc1=nn.Linear(216, 48),
        fc2=nn.Linear(48, 10),
    )
    return adopt(nn.Sequential(OrderedDict(parts))).eval()


@pytest.mark.parametrize("method", FAMILY)
def test_the_largest_layers_come_first_and_0_is_the_original(method, network, images):
    curve = method().prepare(network, images)
    assert curve.knob.values == (0, 1, 2, 3) and curve.knob.start == 0
    changed = []
    for value in curve.knob.values:
        small = curve.at(value)
        changed.append([path for path, leaf in leaves(small) if type(leaf).__name__ != "Dense"])
    assert changed == [[], ["fc1.weight"], ["fc1.weight", "fc2.weight"], ["conv.weight", "fc1.weight", "fc2.weight"]]
    with torch.no_grad():
        x = torch.randn(2, 1, 28, 28)
        assert torch.equal(curve.at(0)(x), network(x))


@pytest.mark.parametrize("method", FAMILY)
def test_one_layer_is_changed_or_not(method, network, images):
    curve = method().prepare(network, images, where="fc2")
    assert curve.knob.values == (0, 1)
    assert [path for path, leaf in leaves(curve.at(1)) if type(leaf).__name__ != "Dense"] == ["fc2.weight"]
    with pytest.raises(ValueError, match=f"{curve.knob.name} is 2, but must be one of 0, 1"):
        curve.at(2)


@pytest.mark.parametrize("method", FAMILY)
def test_the_two_thin_factors_of_a_layer_count_twice(method, network, images):
    thin = SVD().prepare(network, where="fc1").at(4)
    assert method().prepare(thin, images, where="fc1").knob.values == (0, 1, 2)
    assert method().prepare(thin, images).at(4)(torch.randn(2, 1, 28, 28)).isfinite().all()


@pytest.mark.parametrize("method", FAMILY)
def test_the_values_that_pruning_left_are_one_list_with_one_scale(method, network, images):
    pruned = Magnitude().prepare(network).at(0.8)
    small = method().prepare(pruned, images).at(3)
    values = small.fc1.weight.values
    assert values.scale.shape == (1,) and len(values().unique()) <= 3
    assert size(small).total < size(pruned).total
    _, trained = next(method().prepare(pruned, images).train(3, images))
    assert torch.equal(trained.fc1.weight() != 0, small.fc1.weight() != 0) or method is Ternary


@pytest.mark.parametrize("method", [*FAMILY, LSQ])
@pytest.mark.parametrize("name", ["LeNet-5", "MLP-3x512"])
def test_what_is_stored_comes_back_bit_for_bit(tmp_path, method, name, images):
    torch.manual_seed(1)
    built = zoo.build(name)
    network = adopt(built).eval()
    network.origin = built.origin
    curve = method().prepare(network, images)
    small = curve.at(curve.knob.values[-1] if method is not LSQ else 2).eval()
    written = save(small, tmp_path / "small")
    again = load(tmp_path / "small")
    assert written == size(small).total == (tmp_path / "small").stat().st_size
    bits = 1 if method not in (Ternary, LSQ) else 2
    others = sum(part.numel() for name, part in network.named_parameters() if ".values" not in name)
    others += sum(part.numel() for part in network.buffers() if part.is_floating_point())
    weights = sum(leaf.shape.numel() for _, leaf in leaves(network))
    rows = sum(leaf.shape[0] for _, leaf in leaves(network))
    assert written < weights * bits / 8 + 4 * (others + rows) + 700
    with torch.no_grad():
        assert torch.equal(again(torch.ones(2, 1, 28, 28)), small(torch.ones(2, 1, 28, 28)))


@pytest.mark.parametrize("method", [*FAMILY, LSQ])
def test_training_wins_back_most_of_what_binarizing_lost(method, images):
    whole = data.load("MNIST")
    few = replace(whole, train=whole.train.take(slice(0, 12000)), validation=whole.validation.take(slice(0, 1000)))
    curve = method().prepare(zoo.load("LeNet-300-100", "MNIST"), images)
    strongest = curve.knob.values[-1] if method is not LSQ else 2
    before = accuracy(curve.at(strongest), few).value
    *_, (_, trained) = curve.train(strongest, few)
    after = accuracy(trained, few).value
    assert after > 0.94 and (1 - after) < 0.6 * (1 - before)


@pytest.mark.parametrize("method", [BinaryConnect, LossAware])
def test_a_normalised_network_learns_from_nothing_with_the_square_hinge(method):
    """The protocol of Hou 2017 in small: no checkpoint, Adam at 0.01, an L2-SVM on top."""
    whole = data.load("MNIST")
    few = replace(whole, train=whole.train.take(slice(0, 6400)), validation=whole.validation.take(slice(0, 1000)))
    torch.manual_seed(0)
    curve = method().prepare(adopt(zoo.build("MLP-3x512")), few)
    recipe = replace(method.recipe, learning_rate=0.01)
    *_, (_, trained) = curve.train(4, few, recipe, loss=square_hinge)
    trained.eval()
    found = accuracy(trained, few)
    *_, evaluated = Evaluator(trained, few).full(trained)
    assert found.value > 0.85 and evaluated.accuracy.right == found.right


@pytest.mark.parametrize("method", FAMILY)
def test_pictures_mark_the_values_that_are_left(method, network, images):
    curve = method().prepare(network, images)
    for value in curve.knob.values:
        picture = curve.picture(value, "fc1")
        levels = len(curve.method.levels) if value else 0
        assert len(picture.marks) == levels and picture.title.startswith("fc1") and "fc1" in picture.text
        assert (curve.method.word in picture.text) == (not value)


@pytest.mark.parametrize("method", [*FAMILY, LSQ])
def test_every_method_has_a_card_and_a_recipe_that_trains(method):
    for field in ("title", "idea", "equation", "stores", "drawback", "paper"):
        assert isinstance(getattr(method, field), str) and getattr(method, field)
    assert method.idea.count(". ") <= 1, "at most two sentences"
    assert isinstance(method.recipe, Recipe) and method.recipe.epochs == 1


@pytest.mark.parametrize("method", [*FAMILY, LSQ])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(method, bad, network, images):
    with torch.no_grad():
        network.fc1.weight.values[0, 0] = bad
    with pytest.raises(ValueError, match="fc1.weight holds NaN or infinite numbers"):
        method().prepare(network, images)


@pytest.mark.parametrize("method", [*FAMILY, LSQ])
def test_a_network_in_which_pruning_left_nothing_has_nothing_to_change(method, network, images):
    with torch.no_grad():
        for _, leaf in leaves(network):
            leaf.values.mul_(1e-9)
    pruned = Magnitude().prepare(network).at(0.999)
    curve = method().prepare(pruned, images, where="conv")
    assert curve.at(curve.knob.values[-1])(torch.randn(1, 1, 28, 28)).isfinite().all()
