"""Rounds: the schedule, masks that only close, one run of the learning rate, and Weights of every kind."""

import copy
import itertools
import os
from dataclasses import replace

import pytest
import torch
from torch import nn

import labkit
from labkit import adopt, data, layers
from labkit.data import Data
from labkit.lowrank import SVD
from labkit.pruning import Magnitude
from labkit.pruning.lamp import LAMP
from labkit.pruning.obd import OptimalBrainDamage
from labkit.pruning.random import Random
from labkit.pruning.rounds import PruneRetrain, sparsity_after
from labkit.quantization import KMeans
from labkit.train import Recipe, Trainer

RECIPE = Recipe(epochs=2, batch=20, learning_rate=0.1)


@pytest.fixture(scope="module")
def pictures() -> Data:
    whole = data.load("MNIST")
    return replace(whole, train=whole.train.take(slice(0, 400)))  # 20 steps an epoch


@pytest.fixture
def network():
    torch.manual_seed(0)
    return adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.ReLU(), nn.Linear(20, 10))).eval()


def run(method, network, pictures, value=0.9, where=None):
    return list(method.prepare(network, pictures, where).train(value, pictures, RECIPE))


def zeros(model):
    """The positions that each layer has lost, (n,) booleans."""
    return torch.cat([(layer.weight() == 0).flatten() for layer in layers.layers(model).values()])


@pytest.mark.parametrize("rounds", [1, 2, 7])
def test_each_round_keeps_the_same_share_and_the_last_one_ends_at_the_sparsity(rounds):
    kept = [1 - sparsity_after(r, rounds, 0.97) for r in range(rounds + 1)]
    assert kept[0] == 1 and kept[-1] == pytest.approx(0.03)
    assert [b / a for a, b in itertools.pairwise(kept)] == pytest.approx([0.03 ** (1 / rounds)] * rounds)


@pytest.mark.parametrize("criterion", [Magnitude("layer"), LAMP(), OptimalBrainDamage(50), Random()])
def test_rounds_follow_the_schedule_and_nothing_comes_back(criterion, network, pictures):
    shown = run(PruneRetrain(4, criterion), network, pictures)
    assert [progress.step for progress, _ in shown] == [10, 20, 30, 40]
    lost = [zeros(model) for _, model in shown]
    count = len(lost[0])
    # Of 40 steps the rounds begin at 0, 5, 10 and 15.
    for gone, r in zip(lost, (3, 4, 4, 4), strict=True):
        assert abs(int(gone.sum()) - sparsity_after(r, 4, 0.9) * count) <= 1
    assert all(bool((before <= after).all()) for before, after in itertools.pairwise(lost))


def test_one_round_is_one_cut_and_the_plain_training(network, pictures):
    (_, *_, (_, rounds)) = run(PruneRetrain(1), network, pictures)
    (_, *_, (_, plain)) = run(Magnitude(), network, pictures)
    for index in (1, 3):
        assert torch.equal(rounds[index].weight.positions, plain[index].weight.positions)
        torch.testing.assert_close(rounds[index].weight(), plain[index].weight(), rtol=1e-3, atol=1e-5)


def test_survivors_keep_their_trained_values_and_all_rounds_share_one_cycle(network, pictures):
    """By hand: one Trainer, masks on the gradients' way, and torch's own ranking at the same steps."""
    model = copy.deepcopy(network)
    weights = [model[1].weight.values, model[3].weight.values]
    masks = [torch.ones_like(weight) for weight in weights]

    def prune(r):
        flat = torch.cat(
            [(weight * mask).detach().abs().flatten() for weight, mask in zip(weights, masks, strict=True)]
        )
        cut = flat.sort().values[round(sparsity_after(r, 2, 0.9) * len(flat))]
        for weight, mask in zip(weights, masks, strict=True):
            mask *= weight.detach().abs() >= cut
            weight.data *= mask
            weight.register_hook(lambda gradient, mask=mask: gradient * mask)

    def after_step(model, progress):
        for weight, mask in zip(weights, masks, strict=True):
            weight.data *= mask
        if progress.step == 10:
            prune(2)

    prune(1)
    rates = [p.learning_rate for p in Trainer(model, pictures, RECIPE, after_step=after_step).run(every=10)]
    shown = run(PruneRetrain(2), network, pictures)
    assert [progress.learning_rate for progress, _ in shown] == rates
    for index in (1, 3):
        torch.testing.assert_close(shown[-1][1][index].weight(), model[index].weight(), rtol=1e-3, atol=1e-5)


def test_what_is_yielded_stays_and_the_original_too(network, pictures):
    before = copy.deepcopy(network.state_dict())
    models, kept = [], []
    for _, model in PruneRetrain(4).prepare(network, pictures).train(0.9, pictures, RECIPE):
        models.append(model)
        kept.append(copy.deepcopy(model.state_dict()))
    for model, state in zip(models, kept, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("first", [KMeans(), SVD(), Magnitude()])
def test_it_goes_into_what_other_methods_made_and_the_file_has_the_size_that_is_shown(
    first, network, pictures, tmp_path
):
    curve = first.prepare(network)
    base = curve.at(curve.knob.values[len(curve.knob.values) // 2])
    before = copy.deepcopy(base.state_dict())
    _, model = run(PruneRetrain(3), base, pictures, 0.8)[-1]
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())
    leaves = dict(layers.leaves(base))
    left = sum(leaf.shape.numel() for _, leaf in layers.leaves(model))
    assert left == sum(leaf.shape.numel() for leaf in leaves.values()) - round(
        0.8 * sum(leaf.shape.numel() for leaf in leaves.values())
    )
    if isinstance(first, KMeans):
        assert type(model[1].weight.values).__name__ == "Codebook"
    path = tmp_path / "pruned.safetensors"
    labkit.save(model, path)
    assert labkit.size(model).total == os.path.getsize(path)
    again = labkit.load(path)
    x = torch.randn(3, 1, 28, 28)
    assert torch.equal(again(x), model.eval()(x))


def test_sparsity_0_cuts_nothing(network, pictures):
    _, model = run(PruneRetrain(3), network, pictures, 0)[-1]
    assert {type(leaf).__name__ for _, leaf in layers.leaves(model)} == {"Dense"}


def test_one_layer_only(network, pictures):
    _, model = run(PruneRetrain(3), network, pictures, where="3")[-1]
    assert type(model[1].weight).__name__ == "Dense" and len(model[3].weight.positions) == 20


def test_few_steps_still_end_at_the_sparsity(network, pictures):
    few = replace(pictures, train=pictures.train.take(slice(0, 40)))
    _, model = list(PruneRetrain(10).prepare(network).train(0.9, few, replace(RECIPE, epochs=1)))[-1]
    assert int(zeros(model).sum()) == round(0.9 * 15_880)


@pytest.mark.parametrize("rounds", [0, -1, 2.5, "three"])
def test_rounds_that_cannot_be_are_refused(rounds):
    with pytest.raises(ValueError, match="must be a whole number from 1"):
        PruneRetrain(rounds)


def test_a_criterion_is_in_the_title_and_another_thing_refused():
    assert (
        len({PruneRetrain(criterion=criterion).title for criterion in ("network", "layer", "deviation", LAMP())}) == 4
    )
    with pytest.raises(ValueError, match="one of network, layer, deviation"):
        PruneRetrain(criterion="row")
    with pytest.raises(ValueError, match="must rank weights"):
        PruneRetrain(criterion=Magnitude)


def test_values_off_the_knob_are_refused(network, pictures):
    with pytest.raises(ValueError, match="must be one of"):
        next(PruneRetrain().prepare(network).train(0.123, pictures))
