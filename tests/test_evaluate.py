"""The fast evaluator against the plain loop: what it answers, how it stops, what it falls back to."""

import copy

import pytest
import torch
from torch import nn

from labkit import hardware, layers, lowrank, pruning, quantization, zoo
from labkit.estimate import Estimate
from labkit.evaluate import Evaluator
from labkit.folding import CannotFold, fold
from labkit.measure import Accuracy
from labkit.skeleton import Skeleton, signature
from labkit.threads import Contest
from labkit.weights import Dense
from tests.networks import fashion, pictures, plain


class Wandering(nn.Module):
    """A network whose path depends on its input, so that it has no graph."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        x = self.fc(x.flatten(1))
        return x if float(x.sum()) > 0 else 2 * x


def test_a_network_without_a_graph_runs_as_it_is():
    model = layers.adopt(Wandering()).train()
    with pytest.raises(CannotFold):
        fold(model)
    evaluator = Evaluator(model, fashion(200))
    changed = pruning.Magnitude().prepare(model).at(0.9)
    assert torch.equal(list(evaluator.full(changed))[-1].predictions, plain(changed, fashion(200)).argmax(1))
    assert model.training


@pytest.mark.parametrize("method", [lowrank.SVD(), pruning.Magnitude(), quantization.KMeans()])
@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5"])
def test_the_full_evaluation_is_the_plain_loop(name, method):
    model, data = zoo.load(name, "FashionMNIST"), fashion()
    evaluator = Evaluator(model, data)
    assert (evaluator.predictions != plain(model, data).argmax(1)).sum() <= 1
    assert evaluator.reference == Accuracy(int(evaluator.right.sum()), 600)
    curve = method.prepare(model, data)
    for value in curve.knob.values[:: max(1, len(curve.knob.values) // 3)]:
        last = list(evaluator.full(curve.at(value)))[-1]
        expected = plain(curve.at(value), data).argmax(1)
        assert last.done and (last.predictions != expected).sum() <= 2  # but for ties in float32
        assert abs(last.accuracy.right - int((expected == data.validation.labels).sum())) <= 2


def test_what_is_known_grows_until_it_is_exact():
    model = zoo.load("LeNet-5", "FashionMNIST")
    evaluator = Evaluator(model, fashion())
    compressed = quantization.KMeans().prepare(model).at(2)
    steps = list(evaluator.full(compressed))
    known = [int((step.predictions >= 0).sum()) for step in steps]
    assert known == sorted(set(known)) and known[-1] == 600
    assert all(
        isinstance(step.accuracy, Estimate) and step.accuracy.images == n
        for step, n in zip(steps[:-1], known, strict=False)
    )
    assert steps[-1].done and isinstance(steps[-1].accuracy, Accuracy)
    assert not any(step.done for step in steps[:-1])


def test_a_stale_evaluation_ends_at_once_and_two_may_interleave():
    model = zoo.load("LeNet-5", "FashionMNIST")
    evaluator = Evaluator(model, fashion())
    evaluator.batch = 50
    curve = pruning.Magnitude().prepare(model)
    left = iter([False, False, True])
    assert len(list(evaluator.full(curve.at(0.9), lambda: next(left)))) == 2
    expected = [list(evaluator.full(curve.at(value)))[-1].predictions for value in (0.97, 0.99)]
    first, second = evaluator.full(curve.at(0.97)), evaluator.full(curve.at(0.99))
    ends = [pair[-1] for pair in zip(*zip(first, second, strict=True), strict=True)]
    assert all(torch.equal(end.predictions, one) for end, one in zip(ends, expected, strict=True))


def test_an_estimate_looks_at_the_pictures_it_names():
    model = zoo.load("LeNet-5", "FashionMNIST")
    evaluator = Evaluator(model, fashion())
    compressed = pruning.Magnitude().prepare(model).at(0.95)
    found = evaluator.estimate(compressed, budget_s=0)
    assert found.images == len(found.index) == max(100, evaluator.batch)
    expected = plain(compressed, fashion()).argmax(1)[found.index]
    assert (found.predictions != expected).sum() <= 1
    everything = evaluator.estimate(compressed, budget_s=60)
    exact = list(evaluator.full(compressed))[-1].accuracy
    assert everything.images == 600
    assert (everything.low, everything.high) == pytest.approx((exact.value, exact.value))


def test_the_original_estimates_as_itself():
    model = zoo.load("LeNet-5", "FashionMNIST")
    evaluator = Evaluator(model, fashion())
    assert evaluator.estimate(model, budget_s=0).value == pytest.approx(evaluator.reference.value)


def test_a_layer_of_another_shape_is_folded_anew():
    model = zoo.load("LeNet-5", "FashionMNIST")
    evaluator = Evaluator(model, fashion())
    pair = nn.Sequential(nn.Linear(800, 4, bias=False), nn.Linear(4, 500))
    changed = layers.replace(model, {"fc1": layers.adopt(pair)})
    assert signature(changed) != signature(model)
    assert (list(evaluator.full(changed))[-1].predictions == plain(changed, fashion()).argmax(1)).float().mean() > 0.99
    assert torch.equal(list(evaluator.full(model))[-1].predictions, evaluator.predictions)


def narrower(model, units):
    """LeNet-300-100 with so many units in its first hidden layer."""
    thin = copy.deepcopy(model)
    thin.fc1 = layers.Linear(Dense(model.fc1.weight()[:units].detach()), model.fc1.bias[:units].detach())
    thin.fc2 = layers.Linear(Dense(model.fc2.weight()[:, :units].detach()), model.fc2.bias.detach())
    return thin


@pytest.mark.parametrize("bfloat16", [True, False])
def test_one_graph_serves_all_widths_and_leaves_the_models_alone(bfloat16, monkeypatch):
    model, data = zoo.load("LeNet-300-100"), fashion(200)
    evaluator = Evaluator(model, data, bfloat16=bfloat16)
    thin = {units: narrower(model, units) for units in (250, 100, 20)}
    before = {units: copy.deepcopy(network.state_dict()) for units, network in thin.items()}
    list(evaluator.full(thin[250]))
    monkeypatch.setattr("labkit.skeleton.fold", lambda model: pytest.fail("the graph was found again"))
    for units in (100, 20, 250, 100):
        last = list(evaluator.full(thin[units]))[-1]
        assert (last.predictions != plain(thin[units], data).argmax(1)).sum() <= 1
        assert evaluator.estimate(thin[units], budget_s=60).value == pytest.approx(last.accuracy.value, abs=0.02)
    assert torch.equal(list(evaluator.full(model))[-1].predictions, evaluator.predictions)
    for units, network in thin.items():
        assert all(torch.equal(tensor, before[units][name]) for name, tensor in network.state_dict().items())


def test_a_graph_that_depends_on_the_width_is_found_anew():
    class Baked(nn.Module):
        """Its graph divides by the number of units, a number that is written into the graph."""

        def __init__(self, units):
            super().__init__()
            self.fc1, self.fc2, self.sides = nn.Linear(784, units), nn.Linear(units, 10), [units]

        def forward(self, x):
            return self.fc2(self.fc1(x.flatten(1)) / self.sides[0])

    data = fashion(200)
    torch.manual_seed(0)
    wide, middle, narrow = (layers.adopt(Baked(units)).eval() for units in (64, 32, 4))
    assert not Skeleton(wide, pictures()).refit(narrow, pictures())
    evaluator = Evaluator(wide, data, bfloat16=False)
    for model in (middle, narrow, middle):
        assert (list(evaluator.full(model))[-1].predictions != plain(model, data).argmax(1)).sum() <= 1


def test_bfloat16_may_estimate_but_never_reports():
    model = zoo.load("LeNet-5", "FashionMNIST")
    evaluator = Evaluator(model, fashion(100), bfloat16=True)
    close_by = evaluator.estimate(model, budget_s=60)
    assert abs(close_by.value - evaluator.reference.value) <= 0.02
    assert torch.equal(list(evaluator.full(model))[-1].predictions, evaluator.predictions)


def test_pictures_too_many_to_keep_are_normalised_in_batches(monkeypatch):
    monkeypatch.setattr("labkit.evaluate.IMAGE_MEMORY", 0)
    model = zoo.load("LeNet-300-100", "FashionMNIST")
    assert torch.equal(Evaluator(model, fashion()).predictions, plain(model, fashion()).argmax(1))


def test_the_faster_number_of_threads_wins():
    now = [0.0]
    contest = Contest(2, clock=lambda: now[0])
    before = torch.get_num_threads()
    cost = {1: 3.0, 2: 1.0}

    def work():
        now[0] += cost[torch.get_num_threads()]

    for _ in range(3):
        contest.run(work)
    assert contest.best == 2
    cost[2] = 50.0
    contest.reopen()
    for _ in range(3):
        contest.run(work)
    assert contest.best == 1 and torch.get_num_threads() == before


@pytest.mark.skipif(len(hardware.devices()) < 2, reason="no GPU on this machine")
def test_a_gpu_answers_as_the_processor_does():
    model = zoo.load("LeNet-5", "FashionMNIST")
    evaluator = Evaluator(model, fashion(), device=hardware.device("auto"))
    assert (evaluator.predictions != plain(model, fashion()).argmax(1)).sum() <= 2
    compressed = pruning.Magnitude().prepare(model).at(0.9)
    assert (list(evaluator.full(compressed))[-1].predictions != plain(compressed, fashion()).argmax(1)).sum() <= 3


@pytest.mark.parametrize("name", ["LeNet-5", "VGG"])
def test_bfloat16_first_gives_the_answers_of_float32(name):
    model, data = zoo.load(name), fashion(400)
    twice, once = (Evaluator(model, data, bfloat16=way) for way in (True, False))
    curve = quantization.KMeans().prepare(model)
    for bits in (8, 3, 1):
        ends = [list(evaluator.full(curve.at(bits)))[-1] for evaluator in (twice, once)]
        assert torch.equal(ends[0].predictions, ends[1].predictions) and ends[0].accuracy == ends[1].accuracy
