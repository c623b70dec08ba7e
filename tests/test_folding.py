"""Folded networks and the skeleton that runs them against the networks themselves."""

import copy

import pytest
import torch
from torch import nn

from labkit import layers, quantization, skeleton, zoo
from labkit._torchvision import torchvision
from labkit.deploy import deployed
from labkit.folding import fold
from labkit.grid import Grid
from labkit.kernels import HalvingPool, halves
from labkit.skeleton import Skeleton, signature
from labkit.weights import LowRank
from tests.networks import close, pictures, shaken


@pytest.mark.parametrize("name", zoo.NETWORKS)
def test_a_folded_network_of_the_zoo_computes_the_same(name):
    model = layers.adopt(shaken(zoo.build(name)))
    net, sources = fold(model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    assert len(sources) == len(layers.layers(model))
    close(net(pictures()), model(pictures()))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_a_folded_network_of_torchvision_computes_the_same(name):
    model = layers.adopt(shaken(getattr(torchvision("models"), name)(num_classes=10)))
    images = pictures(2, (3, 64, 64))
    ready = Skeleton(model, images)
    assert ready.foldable and len(ready.stages) > 3
    assert not any(isinstance(module, nn.BatchNorm2d) for stage in ready.stages for module in stage.modules())
    other = copy.deepcopy(model)
    with torch.no_grad():
        list(layers.layers(other).values())[-3].weight.values.mul_(0.5)
    ready.load(other)
    close(ready.run(0, lambda: images), other(images))


def test_loading_takes_over_everything_that_training_moves():
    model = layers.adopt(shaken(zoo.build("ResNet-20")))
    ready = Skeleton(model, pictures())
    trained = shaken(copy.deepcopy(model), seed=5)
    with torch.no_grad():
        trained.fc.bias.add_(1)
    trained.train()
    ready.load(trained)
    assert trained.training
    close(ready.run(0, pictures), trained.eval()(pictures()))


@pytest.mark.parametrize("name", ["LeNet-5", "VGG", "ResNet-20"])
def test_kept_activations_never_change_a_result(name):
    model = layers.adopt(shaken(zoo.build(name)))
    ready, paths = Skeleton(model, pictures()), list(layers.layers(model))
    for path in [paths[-1], paths[-1], paths[2], paths[-1], paths[0], paths[-1], paths[-2], paths[0]]:
        changed = copy.deepcopy(model)
        with torch.no_grad():
            changed.get_submodule(path).weight.values.add_(0.01 * torch.randn(changed.get_submodule(path).weight.shape))
        ready.load(changed)
        for batch in (0, 1):
            images = pictures(8)[4 * batch : 4 * batch + 4]
            close(ready.run(batch, lambda images=images: images), changed(images))


def test_a_late_change_starts_late_and_memory_is_bounded(monkeypatch):
    model = layers.adopt(zoo.build("VGG")).eval()
    ready = Skeleton(model, pictures())
    with torch.no_grad():
        model.fc2.bias.add_(1)
    ready.load(model)
    ready.run("a", pictures)
    ready.run("a", lambda: pytest.fail("the pictures were asked for again"))
    assert ready.kept_bytes == 4 * 256 * 4
    monkeypatch.setattr(skeleton, "MEMORY", 5000)
    ready.run("b", pictures)
    assert ready.kept_bytes <= 5000


def test_an_operation_that_overwrites_its_input_is_not_kept_apart():
    class Overwriting(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(784, 20), nn.Linear(20, 10)

        def forward(self, x):
            x = self.a(x.flatten(1))
            y = self.b(x)
            return y + x.mul_(0).sum(1, keepdim=True)

    model = layers.adopt(Overwriting())
    ready = Skeleton(model, pictures())
    with torch.no_grad():
        model.b.bias.add_(1)
    ready.load(model)
    for _ in range(2):
        close(ready.run(0, pictures), model(pictures()))


def test_deployed_keeps_thin_products_thin_and_folds_the_norm():
    model = layers.adopt(shaken(zoo.build("VGG")))
    factors = LowRank(torch.randn(64, 5), torch.randn(5, 32 * 9), (64, 32, 3, 3))
    thin = layers.replace(
        model, {"conv3.weight": factors, "fc1.weight": LowRank(torch.randn(256, 2), torch.randn(2, 1152), (256, 1152))}
    )
    net = deployed(quantization.KMeans().prepare(thin).at(8))
    shapes = [tuple(module.weight.shape) for module in net.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    assert (5, 32, 3, 3) in shapes and (64, 5, 1, 1) in shapes and (256, 2) in shapes
    assert not any(isinstance(module, (nn.BatchNorm2d, layers.Layer)) for module in net.modules())
    close(deployed(thin)(pictures()), thin(pictures()))


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 1, 7, 9), (2, 5, 6, 7)])
def test_the_faster_pooling_is_max_pooling(shape):
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    assert torch.equal(HalvingPool()(x), nn.functional.max_pool2d(x, 2))
    x[0, 0, 0, 0] = float("nan")
    assert torch.equal(HalvingPool()(x).isnan(), nn.functional.max_pool2d(x, 2).isnan())
    others = [nn.MaxPool2d(3), nn.MaxPool2d(2, 1), nn.MaxPool2d(2, padding=1), nn.MaxPool2d(2, ceil_mode=True)]
    assert halves(nn.MaxPool2d(2)) and halves(nn.MaxPool2d((2, 2), 2)) and not any(map(halves, others))


def gridded(model, reach, bits=16):
    """Let every layer read through a grid from -reach to reach, which cuts much off."""
    model = copy.deepcopy(model)
    for layer in layers.layers(model).values():
        layer.grid = Grid(bits, 2 * reach / (2**bits - 1), 2 ** (bits - 1))
    return model


@pytest.mark.parametrize("name", zoo.NETWORKS)
def test_a_folded_network_rounds_what_its_layers_read(name):
    torch.manual_seed(0)
    model = layers.adopt(shaken(zoo.build(name)))
    fine = gridded(model, 0.6)
    net, sources = fold(fine)
    assert all(source.grid.numbers == fine.get_submodule(source.path).grid.numbers for source in sources)
    expected = fine(pictures())
    # Half way between two of the grid's points, the last bit decides where a number goes.
    close(net(pictures()), expected, 1e-3)
    close(deployed(fine)(pictures()), expected, 1e-3)
    assert (expected - model(pictures())).abs().max() > 0.05 * expected.abs().max()
    assert name not in ("LeNet-5", "VGG") or any(isinstance(module, HalvingPool) for module in net.modules())


@pytest.mark.parametrize("name", ["LeNet-5", "VGG"])
def test_new_grids_are_loaded_like_new_weights(name):
    model = layers.adopt(shaken(zoo.build(name)))
    first = gridded(model, 0.5)
    ready, paths = Skeleton(first, pictures()), list(layers.layers(model))
    assert ready.foldable and not ready.fits(model) and signature(first) != signature(model)
    changed = first
    for path, reach in [(paths[-1], 0.2), (paths[-1], 0.3), (paths[2], 0.4), (paths[0], 0.7), (paths[-2], 0.1)]:
        changed = copy.deepcopy(changed)
        changed.get_submodule(path).grid = Grid(16, 2 * reach / (2**16 - 1), 2**15)
        version = ready.version
        assert ready.fits(changed)
        ready.load(changed)
        assert ready.version == version + 1
        for batch in (0, 1):
            images = pictures(8)[4 * batch : 4 * batch + 4]
            close(ready.run(batch, lambda images=images: images), changed(images))
        ready.load(changed)
        assert ready.version == version + 1
    assert changed is not first and first.get_submodule(paths[-1]).grid.scale == pytest.approx(1 / (2**16 - 1))


def test_a_new_grid_of_a_late_layer_starts_late():
    model = gridded(layers.adopt(zoo.build("VGG")).eval(), 0.5)
    ready = Skeleton(model, pictures())
    for reach in (0.4, 0.3):
        model.fc2.grid = Grid(16, 2 * reach / (2**16 - 1), 2**15)
        ready.load(model)
        ready.run("a", pictures)
    ready.run("a", lambda: pytest.fail("the pictures were asked for again"))


@pytest.mark.parametrize("seed", range(6))
def test_a_coarse_grid_does_not_keep_a_network_from_being_folded(seed):
    torch.manual_seed(seed)  # in some of these, a number half way between two points goes to the other one
    model = gridded(layers.adopt(shaken(zoo.build("ResNet-20"), seed)), 2.0, bits=8)
    assert Skeleton(model, pictures()).foldable


def test_layers_that_share_a_grid_may_get_different_ones():
    model = layers.adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.Linear(20, 10)))
    model[1].grid = model[2].grid = Grid(16, 1e-4, 2**15)
    ready, other = Skeleton(model, pictures()), copy.deepcopy(model)
    other[1].grid, other[2].grid = Grid(16, 2e-5, 2**15), Grid(16, 1e-5, 2**15)
    ready.load(other)
    close(ready.run(0, pictures), other(pictures()))


def test_a_grid_that_is_a_layer_of_its_own_stays_one():
    model = layers.adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 20), Grid(16, 1e-5, 2**15), nn.Linear(20, 10)))
    other = copy.deepcopy(model)
    other[2].set(16, 2e-5, 2**15)
    assert Skeleton(model, pictures()).foldable and signature(model) != signature(other)
    close(fold(other)[0](pictures()), other(pictures()))


def test_deployed_keeps_the_grid_before_thin_products_and_fast_ones():
    model = layers.adopt(zoo.build("LeNet-300-100"))
    thin = layers.replace(model, {"fc1.weight": LowRank(torch.randn(300, 3), torch.randn(3, 784) / 28, (300, 784))})
    fine = gridded(thin, 0.4)
    net = deployed(fine)
    assert [type(module).__name__ for module in net.fc1] == ["Grid", "Sequential"]
    close(net(pictures()), fine(pictures()))
    conv = layers.adopt(zoo.build("LeNet-5"))
    thin = layers.replace(conv, {"conv2.weight": LowRank(torch.randn(50, 3), torch.randn(3, 500) / 20, (50, 20, 5, 5))})
    close(deployed(gridded(thin, 0.4))(pictures()), gridded(thin, 0.4)(pictures()))
