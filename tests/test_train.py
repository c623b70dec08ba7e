"""The loop is SGD or Adam as PyTorch does it, its hooks take part, and a stopped run goes on as if it had not been."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit import checkpoints, data, train, zoo
from labkit.data import Data
from labkit.layers import Linear
from labkit.train import Recipe, Trainer, square_hinge
from labkit.weights import Codebook


@pytest.fixture(scope="module")
def images():
    whole = data.load("MNIST")
    few = {name: whole.split(name).take(slice(0, 640)) for name in ("train", "validation", "test")}
    return Data("MNIST", whole.classes, **few, mean=whole.mean, std=whole.std)


def small(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_step_is_pytorchs_step(images, name):
    recipe = Recipe(epochs=1, learning_rate=0.1, batch=640, warmup=0, momentum=0, weight_decay=0.01, optimiser=name)
    trained, expected = small(), small()
    list(Trainer(trained, images, recipe).run())
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[name]
    optimiser = kind(expected.parameters(), 0.1, weight_decay=0.01)
    F.cross_entropy(expected(images.normalise(images.train.images)), images.train.labels).backward()
    optimiser.step()
    for ours, theirs in zip(trained.parameters(), expected.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_learning_rate_is_one_cycle():
    recipe = Recipe(learning_rate=1.0, warmup=0.2)
    rates = [recipe.rate(step, 100) for step in range(101)]
    assert rates[19] == 1.0 == max(rates) and rates[0] == pytest.approx(0.05)
    assert rates[60] == pytest.approx((1 + math.cos(math.pi / 2)) / 2) and rates[100] == pytest.approx(0)


def test_hooks_take_part(images):
    seen = []
    model = small()
    trainer = Trainer(
        model,
        images,
        Recipe(epochs=2, batch=64, weight_decay=0),
        loss=lambda outputs, labels, pictures: 0 * outputs.sum(),
        penalty=lambda model: (model[1].weight ** 2).sum(),
        after_step=lambda model, progress: seen.append(progress.step),
    )
    before = model[1].weight.norm().item()
    list(trainer.run())
    assert seen == list(range(1, 21)) and model[1].weight.norm().item() < before


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(images):
    def final(seed):
        model = small()
        list(Trainer(model, images, Recipe(epochs=2, seed=seed, shift=1, flip=True)).run())
        return model[1].weight.detach()

    assert torch.equal(final(0), final(0)) and not torch.equal(final(0), final(1))


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch, images, optimiser):
    monkeypatch.setattr(checkpoints, "load_data", lambda name: images)
    recipe = Recipe(epochs=3, batch=64, shift=1, learning_rate=0.01, optimiser=optimiser)
    arguments = {"name": "LeNet-300-100", "data": "MNIST", "recipe": recipe}
    list(checkpoints.train(root=tmp_path / "whole", **arguments))
    run = checkpoints.train(root=tmp_path / "stopped", **arguments)
    for progress in run:
        if progress.epoch == 2:
            run.close()
            break
    assert list((tmp_path / "stopped").rglob("*.partial")) and not list((tmp_path / "stopped").rglob("*.json"))
    resumed = [progress.step for progress in checkpoints.train(root=tmp_path / "stopped", **arguments)]
    assert min(resumed) > 10
    whole, stopped = (tmp_path / run / "MNIST" / "LeNet-300-100.safetensors" for run in ("whole", "stopped"))
    assert whole.read_bytes() == stopped.read_bytes()
    assert not list(tmp_path.rglob("*.partial")) and not list(tmp_path.rglob("*.new"))
    assert zoo.load("LeNet-300-100", "MNIST", root=tmp_path / "stopped")


def test_a_partial_run_of_something_else_is_not_continued(tmp_path, monkeypatch, images):
    monkeypatch.setattr(checkpoints, "load_data", lambda name: images)
    partial = zoo.checkpoint("LeNet-300-100", "MNIST", root=tmp_path).with_suffix(".partial")
    partial.parent.mkdir()
    partial.write_bytes(b"rubbish")
    with pytest.raises(ValueError, match="delete it to start from the beginning"):
        next(checkpoints.train("LeNet-300-100", "MNIST", root=tmp_path))
    with pytest.raises(ValueError, match="no recipe is known for LeNet-5 KMNIST"):
        next(checkpoints.train("LeNet-5", "KMNIST", root=tmp_path))


def test_a_run_of_another_recipe_is_not_continued(tmp_path, monkeypatch, images):
    monkeypatch.setattr(checkpoints, "load_data", lambda name: images)
    arguments = {"name": "LeNet-300-100", "data": "MNIST", "root": tmp_path}
    run = checkpoints.train(recipe=Recipe(epochs=3, batch=64), **arguments)
    while next(run).epoch < 2:
        pass
    run.close()
    with pytest.raises(ValueError, match="another recipe.*delete it to start from the beginning"):
        next(checkpoints.train(recipe=Recipe(epochs=3, batch=64, shift=1), **arguments))


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_only_sgd_takes_smaller_steps_with_shared_numbers(images, name):
    weight = Codebook(torch.randint(0, 2, (10, 784)), torch.tensor([-0.1, 0.1]))
    model = nn.Sequential(nn.Flatten(), Linear(weight, torch.zeros(10)))
    trainer = Trainer(model, images, Recipe(epochs=1, learning_rate=1e-3, optimiser=name))
    next(trainer.run(every=1))
    rates = {group["params"][0]: group["lr"] for group in trainer.optimiser.param_groups}
    shared, alone = rates[weight.centroids.values], rates[model[1].bias]
    assert shared / alone == pytest.approx(1 if name == "adam" else math.sqrt(2 / 7840))


def test_the_square_hinge_is_zero_exactly_where_every_margin_is_kept():
    outputs, labels = torch.randn(20, 10), torch.randint(0, 10, (20,))
    total = 0.0
    for row, label in zip(outputs.numpy(), labels.tolist(), strict=True):
        for output, name in zip(row, range(10), strict=True):
            target = 1.0 if name == label else -1.0
            total += max(0.0, 1 - target * output) ** 2
    assert square_hinge(outputs, labels, outputs).item() == pytest.approx(total / 20, rel=1e-5)
    kept = 2 * F.one_hot(labels, 10).float() - 1
    assert square_hinge(kept, labels, kept) == 0 < square_hinge(0.99 * kept, labels, kept)


def test_divergence_and_senseless_recipes_are_said_in_a_sentence(images):
    with pytest.raises(FloatingPointError, match="start again with a learning rate below"):
        list(Trainer(small(), images, Recipe(epochs=20, learning_rate=1e20, batch=64)).run())
    with pytest.raises(ValueError, match="epochs is 0"):
        Recipe(epochs=0)
    with pytest.raises(ValueError, match="learning_rate is nan"):
        Recipe(learning_rate=float("nan"))
    with pytest.raises(ValueError, match="optimiser is 'adagrad', but must be one of sgd, adam"):
        Recipe(optimiser="adagrad")
    with pytest.raises(ValueError, match="nothing to train"):
        Trainer(small().requires_grad_(False), images, Recipe())


def test_no_row_of_a_matrix_grows_beyond_the_max_norm(images):
    """Those that are short enough take the step as ever; the others are scaled back, and point where they pointed."""
    recipe = Recipe(epochs=1, learning_rate=0.5, batch=640, warmup=0, momentum=0, weight_decay=0)
    free, short = small(), small()
    list(Trainer(free, images, recipe).run())
    list(Trainer(short, images, replace(recipe, max_norm=0.8)).run())
    lengths, scaled = free[1].weight.norm(dim=1), short[1].weight.norm(dim=1)
    assert lengths.max() > 0.8 > lengths.min() and scaled.max() <= 0.8 + 1e-5
    expected = free[1].weight * (0.8 / lengths).clamp(max=1)[:, None]
    assert torch.allclose(short[1].weight, expected, atol=1e-6) and torch.equal(free[1].bias, short[1].bias)
    with pytest.raises(ValueError, match="max_norm is -1, but must be at least 0"):
        Recipe(max_norm=-1)


def test_the_pictures_that_are_learned_now_are_known(images):
    seen = []
    trainer = Trainer(small(), images, Recipe(epochs=1, batch=64), lambda outputs, labels, pictures: told(labels))

    def told(labels):
        seen.append(trainer.index)
        assert torch.equal(images.train.labels[trainer.index], labels)
        return sum(parameter.sum() for parameter in trainer.weights)

    list(trainer.run())
    assert sorted(torch.cat(seen).tolist()) == list(range(640)) and not trainer.moves
    assert Trainer(small(), images, Recipe(shift=1)).moves and Trainer(small(), images, Recipe(flip=True)).moves


@pytest.mark.parametrize("multiplies", [True, False])
def test_bfloat16_is_used_only_where_the_device_multiplies_it(images, multiplies, monkeypatch):
    monkeypatch.setattr(train, "has_bfloat16", lambda device: multiplies)
    network, seen = small(), set()
    trainer = Trainer(network, images, Recipe(epochs=1, batch=640, bfloat16=True))
    network[1].register_forward_hook(lambda layer, x, y: seen.add(y.dtype))
    next(trainer.run())
    assert seen == {torch.bfloat16 if multiplies else torch.float32}
