"""Removed channels leave the same network as forced zeros do, through every kind of connection."""

import os

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import labkit
from labkit import adopt, deploy, zoo
from labkit.channels import Group, columns, groups, remove
from labkit.evaluate import Evaluator
from labkit.layers import layers
from labkit.measure import accuracy, macs, parameters
from tests.networks import SHAPE, close, fashion, pictures, shaken

NETWORKS = ["LeNet-300-100", "LeNet-5", "VGG", "ResNet-20"]


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = adopt(zoo.build(name))
    model.origin = zoo.build(name).origin
    return shaken(model)


def choose(model: nn.Module, share: float = 0.4, seed: int = 0) -> dict[Group, list[int]]:
    """Keep a random part of each group."""
    random = torch.Generator().manual_seed(seed)
    return {
        group: torch.randperm(group.width, generator=random)[: max(1, int(share * group.width))].sort().values.tolist()
        for group in groups(model, SHAPE)
    }


def masked(model: nn.Module, kept: dict[Group, list[int]], x: torch.Tensor) -> torch.Tensor:
    """Run the full network while each layer that reads removed channels is given zeros in their place."""
    hooks = []
    for group, indices in kept.items():
        for path, spread in group.consumers:
            mask = torch.zeros(group.width * spread)
            mask[columns(torch.tensor(indices), spread)] = 1

            def hide(layer, args, mask=mask):
                return args[0] * mask.view(-1, *[1] * (args[0].ndim - 2))

            hooks.append(model.get_submodule(path).register_forward_pre_hook(hide))
    found = model(x)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_thinner_network_computes_what_the_masked_one_does(name, seed):
    model, x = network(name), pictures()
    kept = choose(model, seed=seed)
    thinner = remove(model, kept)
    with torch.no_grad():
        torch.testing.assert_close(thinner(x), masked(model, kept, x), rtol=1e-5, atol=1e-5)
        assert not torch.allclose(thinner(x), model(x), atol=1e-2)  # the removal was felt
    assert torch.allclose(deploy.deployed(thinner)(x), thinner(x), rtol=1e-3, atol=1e-4)
    assert sum(map(len, kept.values())) < 0.5 * sum(group.width for group in kept)


def test_every_layer_but_the_last_makes_channels_of_exactly_one_group_and_all_but_the_first_read_them():
    for name in NETWORKS:
        model = network(name)
        found, paths = groups(model, SHAPE), list(layers(model))
        assert sorted(path for group in found for path in group.producers) == sorted(paths[:-1])
        assert sorted(path for group in found for path, _ in group.consumers) == sorted(paths[1:])


def test_channels_that_are_added_to_each_other_go_together():
    stages = [group for group in groups(network("ResNet-20"), SHAPE) if len(group.producers) > 1]
    assert [group.width for group in stages] == [16, 32, 64]
    assert stages[0].producers == ("conv1", "block1.conv2", "block2.conv2", "block3.conv2")
    assert set(stages[1].producers) == {"block4.shortcut.conv", "block4.conv2", "block5.conv2", "block6.conv2"}
    assert dict(stages[2].consumers) == {"block8.conv1": 1, "block9.conv1": 1, "fc": 1}


def test_parameters_and_multiplications_of_lenet_5_by_hand():
    model = network("LeNet-5")
    first, second, hidden = groups(model, SHAPE)
    thinner = remove(model, {first: range(8), second: range(10, 30), hidden: [0, 5]})
    assert parameters(thinner) == (8 * 25 + 8) + (20 * 8 * 25 + 20) + (2 * 20 * 16 + 2) + (10 * 2 + 10)
    assert macs(thinner, SHAPE) == 8 * 25 * 24**2 + 20 * 8 * 25 * 8**2 + 2 * 20 * 16 + 10 * 2
    assert torch.equal(thinner.conv2.weight(), model.conv2.weight()[10:30, :8])
    assert torch.equal(thinner.fc1.weight(), model.fc1.weight()[[0, 5], 160:480])
    assert torch.equal(thinner.fc1.bias, model.fc1.bias[[0, 5]])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_thinner_network_is_saved_and_evaluated_like_any_other(name, tmp_path):
    model, x = network(name), pictures()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    thinner = remove(model, choose(model))
    path = tmp_path / "thinner.safetensors"
    labkit.save(thinner, path)
    assert labkit.size(thinner).total == os.path.getsize(path) < labkit.size(model).total / 2
    assert torch.equal(labkit.load(path)(x), thinner(x))
    evaluator = Evaluator(model, fashion())
    *_, last = evaluator.full(thinner)
    assert last.accuracy == accuracy(thinner, fashion())
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


class Odd(nn.Module):
    """A depthwise convolution, a scale for each channel, two that are concatenated, one used twice, a view."""

    def __init__(self):
        super().__init__()
        self.conv1, self.depthwise = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 6, 3, groups=6)
        self.gate, self.pointwise = nn.Conv2d(6, 8, 1), nn.Conv2d(6, 8, 1)
        self.left, self.right = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1)
        self.twice, self.halves = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, 2, groups=2)
        self.fc1, self.fc2 = nn.Linear(8 * 36, 12), nn.Linear(12, 3)
        self.norm = nn.BatchNorm1d(12)

    def forward(self, x):
        x = F.relu(self.depthwise(self.conv1(x)))
        x = self.pointwise(x) * torch.sigmoid(self.gate(x).mean((2, 3), keepdim=True)) + self.gate(x)
        x = torch.cat([self.left(x), self.right(x).relu()], 1)
        x = self.halves(self.twice(self.twice(x)))
        x = x.view(x.size(0), -1)
        return self.fc2(torch.tanh(self.norm(self.fc1(x))))


def test_what_is_not_understood_stays_and_the_rest_is_removed_right():
    torch.manual_seed(0)
    model = adopt(Odd()).eval()
    x = torch.randn(4, 1, 17, 17)
    found = {group.producers: group for group in groups(model, (1, 17, 17))}
    assert set(found) == {("conv1", "depthwise"), ("fc1",)}
    assert found["fc1",].norms == ("norm",) and found["conv1", "depthwise"].consumers == (("pointwise", 1), ("gate", 1))
    kept = {found["conv1", "depthwise"]: [0, 2, 5], found["fc1",]: [1, 3, 4, 11]}
    thinner = remove(model, kept)
    assert thinner.depthwise.groups == 3
    close(thinner(x), masked(model, kept, x))


def test_a_view_by_the_number_of_pictures_spreads_channels_and_a_layer_used_twice_joins_them():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.twice, self.fc = nn.Conv2d(1, 5, 3), nn.Conv2d(5, 5, 3, padding=1), nn.Linear(5 * 36, 3)

        def forward(self, x):
            x = self.twice(F.relu(self.twice(F.relu(self.conv(x)))))
            return self.fc(x.view(x.size(0), -1))

    torch.manual_seed(0)
    model, x = adopt(Twice()).eval(), torch.randn(2, 1, 8, 8)
    (group,) = groups(model, (1, 8, 8))
    assert group.producers == ("conv", "twice") and group.consumers == (("twice", 1), ("fc", 36))
    close(remove(model, {group: [1, 4]})(x), masked(model, {group: [1, 4]}, x))


@pytest.mark.parametrize("indices", [[], [5], [-1], [1, 1]])
def test_channels_that_do_not_exist_are_refused(indices):
    model = adopt(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)))
    (group,) = groups(model, (4,))
    with pytest.raises(ValueError, match="give at least one of 0 to 4, each once"):
        remove(model, {group: indices})


def test_groups_of_another_network_and_pictures_of_another_shape_are_refused():
    model = network("LeNet-5")
    kept = choose(model)
    with pytest.raises(ValueError, match="find the groups of this network"):
        remove(remove(model, kept), kept)
    with pytest.raises(ValueError, match="does not take pictures of shape"):
        groups(model, (3, 32, 32))
