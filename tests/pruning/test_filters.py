"""Filter pruning removes the filters that a plain loop finds weakest, and leaves a network that trains."""

import functools

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from labkit import adopt, data, storage, zoo
from labkit.channels import groups
from labkit.live.views.picture import picture
from labkit.measure import accuracy, parameters
from labkit.pruning import FilterPruning, Magnitude
from labkit.pruning.filters import SHARES, prune_filters, scores
from labkit.train import Recipe
from tests.networks import SHAPE, fashion, pictures

load = functools.cache(zoo.load)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.95])
def test_the_filters_that_stay_are_those_pytorch_leaves(share):
    model = load("LeNet-5")
    thinner = FilterPruning().prepare(model).at(share)
    plain = nn.Conv2d(1, 20, 5)
    plain.weight.data = model.conv1.weight().detach().clone()
    prune.ln_structured(plain, "weight", amount=share, n=1, dim=0)
    stay = plain.weight.detach().flatten(1).any(1)
    assert torch.equal(thinner.conv1.weight(), plain.weight[stay])
    assert torch.equal(thinner.conv1.bias, model.conv1.bias[stay])


def test_the_same_share_of_each_layer_goes_and_one_filter_stays():
    curve = FilterPruning().prepare(load("LeNet-300-100"))
    assert [layer.weight.shape[0] for layer in (curve.at(0.5).fc1, curve.at(0.5).fc2, curve.at(0.5).fc3)] == [
        150,
        50,
        10,
    ]
    small = FilterPruning().prepare(adopt(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))), fashion_of((4,)))
    assert small.at(0.95)[0].weight.shape == (1, 4) and small.at(0)[0].weight.shape == (3, 4)


def fashion_of(shape):
    """Data of which only the shape of a picture matters."""
    split = data.Split(torch.zeros(2, *shape, dtype=torch.uint8), torch.zeros(2, dtype=torch.long))
    return data.Data("shape", ("a", "b"), split, split, split, (0.0,), (1.0,))


@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5", "VGG", "ResNet-20"])
def test_every_share_gives_a_thinner_network_that_runs_and_is_saved(name, tmp_path):
    curve, x = FilterPruning().prepare(load(name)), pictures(1)
    sizes = []
    for share in SHARES[::4]:
        thinner = curve.at(share)
        sizes.append(parameters(thinner))
        assert thinner(x).isfinite().all()
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < 0.2 * sizes[0] == 0.2 * parameters(load(name))
    storage.save(thinner, tmp_path / "thin.safetensors")
    assert torch.equal(storage.load(tmp_path / "thin.safetensors")(x), thinner(x))


def test_layers_that_hang_together_have_the_same_say():
    model = load("ResNet-20")
    stage = next(group for group in groups(model, SHAPE) if len(group.producers) > 1)
    expected = torch.zeros(16)
    for path in stage.producers:
        filters = [float(part.abs().sum()) for part in model.get_submodule(path).weight().detach()]
        expected += torch.tensor(filters) / (sum(filters) / 16)
    torch.testing.assert_close(scores(model, stage), expected)
    thinner = FilterPruning().prepare(model, where="block2.conv2").at(0.5)
    assert thinner.conv1.weight.shape == (8, 1, 3, 3) and thinner.block1.conv1.weight.shape == (16, 8, 3, 3)
    kept = expected.argsort()[8:].sort().values
    assert torch.equal(thinner.bn1.running_var, model.bn1.running_var[kept])


def test_pruned_weights_are_scored_by_what_they_show_and_stay_sparse():
    sparse = Magnitude().prepare(load("LeNet-300-100")).at(0.9)
    thinner = FilterPruning().prepare(sparse).at(0.5)
    stay = sparse.fc1.weight().abs().sum(1).argsort(stable=True)[150:].sort().values
    assert type(thinner.fc1.weight).__name__ == "Sparse"
    assert torch.equal(thinner.fc1.weight(), sparse.fc1.weight()[stay])


@pytest.mark.parametrize("name, count", [("LeNet-5", 1000), ("VGG", 600), ("ResNet-20", 400)])
def test_a_thinner_network_wins_accuracy_back(name, count):
    model, images = load(name), fashion(count)
    curve = FilterPruning().prepare(model, images)
    before = accuracy(curve.at(0.5), images).value
    *_, (progress, trained) = curve.train(0.5, images, Recipe(epochs=2, learning_rate=0.02))
    assert progress.step == progress.steps
    assert accuracy(trained, images).value > before
    assert parameters(trained) == parameters(curve.at(0.5)) < 0.5 * parameters(model)


def test_pictures_mark_what_is_removed():
    curve = FilterPruning().prepare(load("LeNet-5"))
    first = curve.picture(0.25, "conv1")
    assert first.values.shape == (20, 5, 5) and first.marks.tolist() == [15, 16, 17, 18, 19]
    sums = abs(first.values).sum((1, 2))
    assert (sums[:-1] >= sums[1:]).all() and "15 of 20 filters stay" in first.title
    assert picture(first)["marks"] == [15, 16, 17, 18, 19] and picture(curve.picture(0, "conv2"))["marks"] == []
    hidden = curve.picture(0.25, "fc1")
    assert hidden.kind == "spectrum" and hidden.marks.tolist() == [375] and len(hidden.values) == 500
    with pytest.raises(ValueError, match="'fc2' is left alone: it is not among conv1, conv2, fc1"):
        curve.picture(0.25, "fc2")


def test_chosen_layers_keep_so_many_filters_or_these():
    model = load("VGG")
    thinner = prune_filters(model, {"conv1": 10, "conv2": [0, 31], "fc1": 100}, SHAPE)
    strongest = model.conv1.weight().flatten(1).norm(1, dim=1).argsort()[-10:].sort().values
    assert torch.equal(thinner.conv1.weight(), model.conv1.weight()[strongest])
    assert torch.equal(thinner.conv2.weight(), model.conv2.weight()[[0, 31]][:, strongest])
    assert [thinner.conv3.weight.shape[:2], thinner.fc1.weight.shape[0]] == [(64, 2), 100]


@pytest.mark.parametrize(
    "stay, said",
    [
        ({"conv9": 3}, "layer 'conv9' does not exist: choose one of conv1, block1.conv1, block1.conv2, block2.conv1"),
        ({"fc": 3}, "fc cannot lose filters"),
        ({"conv1": 0}, "conv1 cannot keep 0 filters: give 1 to 16"),
        ({"conv1": 17}, "conv1 cannot keep 17 filters: give 1 to 16"),
        ({"conv1": 0.5}, "conv1 cannot keep 0.5 filters"),
        ({"conv1": [16]}, "at least one of 0 to 15"),
        ({"conv1": 3, "block1.conv2": 4}, "block1.conv2 keeps the same filters as conv1"),
    ],
)
def test_what_cannot_be_removed_is_said(stay, said):
    with pytest.raises(ValueError, match=said):
        prune_filters(load("ResNet-20"), stay, SHAPE)


def test_layers_that_cannot_lose_filters_and_networks_of_unknown_pictures_are_refused():
    with pytest.raises(ValueError, match="fc2 cannot lose filters.*choose conv1, conv2, fc1"):
        FilterPruning().prepare(load("LeNet-5"), where="fc2")
    with pytest.raises(ValueError, match=r"call prepare\(model, data\)"):
        FilterPruning().prepare(adopt(nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))))
    with pytest.raises(ValueError, match="filters is 0.42, but must be one of"):
        FilterPruning().prepare(load("LeNet-5")).at(0.42)
