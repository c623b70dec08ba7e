"""Folded networks and the skeleton that runs them against the networks themselves."""

import copy

import pytest
import torch
from torch import nn

from labkit import layers, quantization, skeleton, zoo
from labkit._torchvision import torchvision
from labkit.deploy import deployed
from labkit.folding import fold
from labkit.kernels import HalvingPool, halves
from labkit.skeleton import Skeleton
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
