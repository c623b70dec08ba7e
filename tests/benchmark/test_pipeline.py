"""The steps to the smallest files: each does what it says, and what must not change does not."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from labkit import adopt, data, layers, zoo
from labkit.benchmark import pipeline
from labkit.data import Data
from labkit.pruning import Magnitude
from labkit.train import Progress, Recipe
from labkit.weights import Codebook, Sparse

SHAPE = (1, 28, 28)


def few(count=256):
    images = data.load("MNIST")
    part = images.train.take(slice(0, count))
    return Data(images.name, images.classes, part, part, part, images.mean, images.std)


def shown(model):
    return {path: layer.weight().detach() for path, layer in layers.layers(model).items()}


@pytest.mark.parametrize("density", [0.3, 0.02])
def test_pruning_ends_at_its_density_and_moves_what_is_left(density):
    model = zoo.load("LeNet-300-100", "MNIST")
    before = shown(model)
    pruned = pipeline.prune(model, few(640), Recipe(epochs=4, learning_rate=0.01, batch=32), density)
    weights = [layer.weight for layer in layers.layers(pruned).values()]
    assert all(isinstance(weight, Sparse) for weight in weights)
    assert sum(len(weight.positions) for weight in weights) == round(density * 266_200)
    assert not torch.equal(weights[0]().detach(), before["fc1"] * (weights[0]() != 0))
    assert all(torch.equal(weight, before[path]) for path, weight in shown(model).items()), "the original moved"


def test_a_cut_weight_stays_zero_and_the_density_only_falls():
    model = adopt(nn.Linear(40, 30))
    schedule = pipeline.Schedule(model, density=0.1, share=0.5)
    left = []
    for step in range(1, 401):
        model.weight.values.data += 0.1 * torch.randn(30, 40)  # as a step of training might
        schedule(model, Progress(step, 400, 1, 0.0, 0.0, 0.1))
        left.append(model.weight.values != 0)
    counts = [int(mask.sum()) for mask in left]
    assert counts[0] == 1200 and counts[199] == counts[-1] == 120
    assert counts[99] == round(1200 * pipeline.density_at(0.5, 0.1))
    assert all((later <= earlier).all() for earlier, later in pairwise(left))


def test_the_schedule_is_the_cubic_of_its_paper():
    sparsity = [1 - pipeline.density_at(part / 10, 0.04) for part in range(11)]
    assert sparsity == pytest.approx([0.96 + (0 - 0.96) * (1 - part / 10) ** 3 for part in range(11)])


@pytest.mark.parametrize("density", [0, -0.1, 1.5])
def test_a_density_that_cannot_be_is_refused(density):
    with pytest.raises(ValueError, match="must be above 0 and at most 1"):
        pipeline.prune(zoo.load("LeNet-300-100", "MNIST"), few(), Recipe(epochs=1), density)


@pytest.mark.parametrize("network", ["LeNet-300-100", "LeNet-5"])
def test_arranged_units_answer_the_same_and_their_positions_take_fewer_bytes(network):
    model = pipeline.share(Magnitude().prepare(zoo.load(network, "MNIST")).at(0.98), {"fc1": 4})
    arranged = pipeline.arrange(model, SHAPE)
    x = torch.randn(20, *SHAPE)
    assert torch.allclose(arranged(x), model(x), atol=1e-4)
    assert all(
        torch.equal(w.flatten().sort()[0], shown(model)[path].flatten().sort()[0])
        for path, w in shown(arranged).items()
    )
    means = [row.nonzero().double().mean() for row in shown(arranged)["fc1"] if row.any()]
    assert network == "LeNet-5" or means == sorted(means)
    assert isinstance(arranged.fc1.weight.values, Codebook)


def test_shared_weights_have_so_many_values_and_lie_near_the_old_ones():
    model = Magnitude().prepare(zoo.load("LeNet-300-100", "MNIST")).at(0.95)
    shared = pipeline.share(model, {"fc1": 5, "fc3": 12})
    assert len(shared.fc1.weight.values.centroids()) == 5
    assert 8 < len(shared.fc3.weight.values.centroids()) <= 12  # one that no weight is nearest to is left out
    assert torch.equal(shared.fc2.weight(), model.fc2.weight())
    old, new = model.fc1.weight.values(), shared.fc1.weight.values()
    assert (old - new).square().mean() < 0.1 * old.square().mean()
    for value in new.unique():
        assert torch.isclose(old[new == value].mean(), value, atol=1e-5), "a centroid is the mean of its weights"


def test_training_moves_shared_values_and_no_position():
    model = pipeline.share(
        Magnitude().prepare(zoo.load("LeNet-300-100", "MNIST")).at(0.95), {"fc1": 4, "fc2": 4, "fc3": 8}
    )
    trained = pipeline.train(model, few(), Recipe(epochs=1, learning_rate=0.01))
    assert torch.equal(trained.fc1.weight.positions, model.fc1.weight.positions)
    assert torch.equal(trained.fc1.weight.values.codes, model.fc1.weight.values.codes)
    assert not torch.equal(trained.fc1.weight.values.centroids(), model.fc1.weight.values.centroids())


@pytest.mark.parametrize("count", [1, 4, 16])
def test_rounded_biases_have_so_many_values_in_float16(count):
    model = zoo.load("LeNet-300-100", "MNIST")
    rounded = pipeline.round_biases(model, count)
    for path, layer in layers.layers(rounded).items():
        before = model.get_submodule(path).bias
        assert len(layer.bias.unique()) <= min(count, len(before))
        assert (layer.bias - before).square().mean() <= before.var(unbiased=False) + 1e-6
    assert all(torch.equal(parameter, parameter.half().float()) for parameter in rounded.parameters())
    assert not torch.equal(rounded.fc1.bias, model.fc1.bias)


def test_the_distilled_loss_is_cross_entropy_and_the_divergence_of_softened_answers():
    teacher = zoo.load("LeNet-300-100", "MNIST")
    torch.manual_seed(0)
    outputs, images = torch.randn(8, 10), torch.randn(8, *SHAPE)
    labels = torch.arange(8)
    hints = teacher(images).detach()
    p = torch.distributions.Categorical(logits=hints / 2)
    q = torch.distributions.Categorical(logits=outputs / 2)
    apart = torch.distributions.kl_divergence(p, q).mean()
    expected = 0.4 * nn.functional.cross_entropy(outputs, labels) + 0.6 * 4 * apart
    found = pipeline.distilled(teacher, share=0.6, temperature=2.0)(outputs, labels, images)
    assert float(found) == pytest.approx(float(expected), rel=0.02)  # the teacher answers in bfloat16
    same = pipeline.distilled(teacher, share=1.0)(hints, labels, images)
    assert abs(float(same)) < 0.02
