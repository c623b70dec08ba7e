"""The group lasso shrinks whole filters as its equation says, and the smallest are removed within one run."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from labkit import adopt, zoo
from labkit.measure import accuracy, parameters
from labkit.pruning import StructuredSparsity
from labkit.pruning.ssl import PENALISED
from labkit.train import Recipe, Trainer
from tests.networks import fashion

RECIPE = Recipe(epochs=4, batch=20, learning_rate=0.02, weight_decay=0)


def no_loss(outputs, labels, images):
    return 0 * outputs.sum()


def two_layers() -> nn.Module:
    torch.manual_seed(0)
    return adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.ReLU(), nn.Linear(20, 10)))


def test_the_penalty_is_the_sum_over_filters_and_channels_of_a_plain_loop():
    model, images = zoo.load("LeNet-5"), fashion(200)
    curve = StructuredSparsity(0.5).prepare(model)
    found = curve.group_lasso(Trainer(model, images, RECIPE))(model)
    way = sum(RECIPE.rate(step, 40) for step in range(10)) / (1 - 0.9)
    expected = 0.0
    rows = [model.conv1, model.conv2, model.fc1]
    channels = [
        model.conv2.weight().unbind(1),
        model.fc1.weight().view(500, 50, 16).unbind(1),
        model.fc2.weight().unbind(1),
    ]
    for parts in [layer.weight().unbind(0) for layer in rows] + channels:
        sizes = [float(part.detach().square().sum().sqrt()) for part in parts]
        expected += sum(sizes) ** 2 / len(sizes)
    assert found.item() == pytest.approx(0.5 / way * expected, rel=1e-5)


def test_without_a_loss_each_filter_loses_strength_times_the_mean_norm():
    images = fashion(400)
    model, trainer = two_layers(), Trainer(two_layers(), images, replace(RECIPE, momentum=0.0), no_loss)
    trainer.penalty = StructuredSparsity(0.3).prepare(model, images).group_lasso(trainer)
    for progress in trainer.run(every=1):
        if progress.step == PENALISED * progress.steps:
            trainer.penalty = None
    for index, dim in [(1, 1), (3, 0)]:  # the filters of the first layer, the channels that the second reads
        before, after = (layers[index].weight().detach().norm(dim=dim) for layers in (model, trainer.model))
        torch.testing.assert_close(before - after, 0.3 * before.mean().expand(20), rtol=1e-4, atol=0)


def test_the_filters_with_the_smallest_norm_go():
    model = zoo.load("LeNet-5")
    plain = nn.Conv2d(20, 50, 5)
    plain.weight.data = model.conv2.weight().detach().clone()
    prune.ln_structured(plain, "weight", amount=0.5, n=2, dim=0)
    thinner = StructuredSparsity().prepare(model, where="conv2").at(0.5)
    assert torch.equal(thinner.conv2.weight(), plain.weight[plain.weight.flatten(1).any(1)])


def test_one_run_penalises_then_removes_then_trains_in_one_cycle():
    model, images = two_layers(), fashion(400)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    curve = StructuredSparsity().prepare(model, images)
    seen = list(curve.train(0.5, images, RECIPE))
    steps = RECIPE.epochs * (400 // RECIPE.batch)
    assert [progress.step for progress, _ in seen] == list(range(10, steps + 1, 10))
    assert all(progress.learning_rate == RECIPE.rate(progress.step - 1, steps) for progress, _ in seen)
    assert {parameters(thinner) for _, thinner in seen} == {parameters(curve.at(0.5))}
    turn = round(PENALISED * steps) // 10 - 1
    assert len({id(thinner) for _, thinner in seen[: turn + 1]}) == turn + 1
    assert all(thinner is seen[turn][1] for _, thinner in seen[turn:])
    assert accuracy(seen[-1][1], images).value > accuracy(curve.at(0.5), images).value + 0.2
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
