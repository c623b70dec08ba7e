"""Optimal Brain Surgeon cuts greedily, compensates as least squares does, and composes with what came before."""

import os

import pytest
import torch
from torch import nn

from labkit import adopt, layers, storage
from labkit.lowrank import SVD
from labkit.pruning import Magnitude, obs
from labkit.pruning.obs import OptimalBrainSurgeon
from labkit.quantization import KMeans
from labkit.weights import Dense, Separable, Sparse
from tests.networks import fashion
from tests.pruning.test_surgeon import INPUTS, brute_force, correlated


@pytest.fixture(scope="module")
def data():
    return fashion(200)


def small() -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=3),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, groups=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(216, 10),
    )
    return adopt(network).eval()


@pytest.fixture
def network():
    return small()


def output_error(before: nn.Module, after: nn.Module, layer: str, data) -> float:
    """The squared change of one layer's output, and only of that layer's, on the pictures that were looked at."""
    alone = layers.replace(before, {f"{layer}.weight": Dense(after.get_submodule(f"{layer}.weight")().detach())})
    seen = []
    for model in (before, alone):
        hook = model.get_submodule(layer).register_forward_hook(lambda _, x, y: seen.append(y.detach()))
        model(data.normalise(data.train.images))
        hook.remove()
    return float((seen[0] - seen[1]).square().sum() / seen[0].square().sum())


def test_the_order_is_the_greedy_one(monkeypatch):
    monkeypatch.setattr(obs, "FIRST", 0)
    for seed in range(10):
        x = correlated(40, seed=seed)
        w = torch.randn(INPUTS, generator=torch.Generator().manual_seed(seed)).double()
        operation = obs.Operation(w[None], torch.ones(1, INPUTS, dtype=torch.bool), (x.mT @ x / 40)[None])
        found = obs.cut({"w": operation}, [cut / INPUTS for cut in range(INPUTS + 1)])["w"]
        kept = list(range(INPUTS))
        for positions, values in found.values():
            assert positions.tolist() == kept
            torch.testing.assert_close(values, brute_force(x, w, kept)[0][kept])
            if kept:  # the next to go is the one without which the error is least
                kept = min(([k for k in kept if k != q] for q in kept), key=lambda left: brute_force(x, w, left)[1])


@pytest.mark.parametrize("scope", ["network", "layer"])
def test_each_sparsity_is_met_to_the_exact_count_and_brings_nothing_back(scope, network, data):
    curve = OptimalBrainSurgeon(scope).prepare(network, data)
    weights = {path: layer.weight.shape.numel() for path, layer in layers.layers(network).items()}
    before = None
    for sparsity in curve.knob.values:
        model = curve.at(sparsity)
        left = {path: layer.weight() != 0 for path, layer in layers.layers(model).items()}
        if scope == "layer":
            assert all(
                int(kept.sum()) == weights[path] - round(sparsity * weights[path]) for path, kept in left.items()
            )
        total = sum(weights.values())
        if scope == "network":
            assert sum(int(kept.sum()) for kept in left.values()) == total - round(sparsity * total)
        assert before is None or all(bool((left[path] <= before[path]).all()) for path in left)
        assert all(torch.equal(model.get_submodule(path).bias, network.get_submodule(path).bias) for path in left)
        before = left


@pytest.mark.parametrize("layer", ["0", "2", "5"])
def test_the_output_of_a_layer_changes_less_than_by_magnitude(layer, network, data):
    ours, theirs = OptimalBrainSurgeon("layer").prepare(network, data), Magnitude("layer").prepare(network)
    for sparsity in (0.2, 0.5, 0.8, 0.95):
        assert output_error(network, ours.at(sparsity), layer, data) < output_error(
            network, theirs.at(sparsity), layer, data
        )


def test_where_the_slider_was_before_does_not_matter(network, data):
    up, down = (OptimalBrainSurgeon().prepare(network, data) for _ in range(2))
    rising = {value: up.at(value) for value in up.knob.values}
    falling = {value: down.at(value) for value in reversed(down.knob.values)}
    for value, model in rising.items():
        other = falling[value].state_dict()
        assert all(torch.equal(tensor, other[name]) for name, tensor in model.state_dict().items())


def test_training_a_result_leaves_the_curve_alone(network, data):
    curve = OptimalBrainSurgeon().prepare(network, data)
    before = curve.at(0.5).get_submodule("5").weight()
    with torch.no_grad():
        curve.at(0.5).get_submodule("5").weight.values.values.zero_()
    assert torch.equal(curve.at(0.5).get_submodule("5").weight(), before)


def test_one_layer_alone(network, data):
    model = OptimalBrainSurgeon().prepare(network, data, where="2").at(0.7)
    assert [type(layer.weight) for layer in layers.layers(model).values()] == [Dense, Sparse, Dense]
    assert len(model[2].weight.positions) == 108 - round(0.7 * 108)


def test_the_zeros_of_a_sparse_are_gone_already(network, data):
    pruned = Magnitude("layer").prepare(network).at(0.6)
    curve = OptimalBrainSurgeon("layer").prepare(pruned, data)
    for sparsity in curve.knob.values:
        model = curve.at(sparsity)
        for path, layer in layers.layers(model).items():
            first = pruned.get_submodule(path).weight
            assert set(layer.weight.positions.tolist()) <= set(first.positions.tolist())
            assert len(layer.weight.positions) == len(first.positions) - round(sparsity * len(first.positions))


def test_a_factor_of_a_matrix_reads_what_the_other_makes_of_the_pictures(data):
    torch.manual_seed(0)
    network = adopt(nn.Sequential(nn.Flatten(), nn.Linear(784, 30)))
    thin = SVD().prepare(network).at(8)
    curve = OptimalBrainSurgeon("layer").prepare(thin, data)
    assert list(curve.fits) == ["1.weight.u", "1.weight.v"]
    small = curve.at(0.5)
    x = data.normalise(data.train.images).flatten(1)
    inner = x @ thin[1].weight.v().detach().mT
    plain = Magnitude("layer").prepare(thin).at(0.5)[1].weight.u()
    ours, theirs = ((inner @ (u - thin[1].weight.u()).detach().mT).norm() for u in (small[1].weight.u(), plain))
    assert ours < theirs
    assert isinstance(small[1].weight.u, Sparse) and isinstance(small[1].weight.v, Sparse)


@pytest.mark.parametrize("first", [SVD, Magnitude, KMeans])
def test_files_are_what_was_shown(first, network, data, tmp_path):
    curve = first().prepare(network)
    model = OptimalBrainSurgeon().prepare(curve.at(curve.knob.values[3]), data).at(0.8)
    model = KMeans().prepare(model).at(4)
    path = tmp_path / "small.safetensors"
    storage.save(model, path)
    again = storage.load(path, into=network)
    assert os.path.getsize(path) == storage.size(model).total < storage.size(network).total
    for name, layer in layers.layers(model).items():
        assert torch.equal(again.get_submodule(name).weight(), layer.weight())


def test_a_layer_in_which_nothing_is_left_and_a_layer_of_zeros(network, data):
    with torch.no_grad():
        network[5].weight.values.zero_()
    emptied = layers.replace(
        network, {"2.weight": Sparse(torch.empty(0, dtype=torch.long), torch.empty(0), (6, 2, 3, 3))}
    )
    curve = OptimalBrainSurgeon().prepare(emptied, data)
    for value in curve.knob.values:
        assert curve.at(value)(data.normalise(data.train.images[:2])).isfinite().all()


def test_pictures_say_how_far_the_others_moved(network, data):
    curve = OptimalBrainSurgeon().prepare(network, data)
    for value in curve.knob.values:
        picture = curve.picture(value, "5")
        assert "5: " in picture.title and len(picture.values) == 100 and "moved by up to" in picture.text
        weight = curve.at(value).get_submodule("5").weight()
        assert f"{100 * float((weight == 0).float().mean()):.1f} %" in picture.title
    assert "moved by up to 0." in curve.picture(0, "5").text


def test_mistakes_are_named(network, data):
    with pytest.raises(ValueError, match="scope is 'row', but must be one of network, layer"):
        OptimalBrainSurgeon("row")
    with pytest.raises(ValueError, match=r"give prepare\(model, data\)"):
        OptimalBrainSurgeon().prepare(network)
    with pytest.raises(ValueError, match="layer '7' does not exist"):
        OptimalBrainSurgeon().prepare(network, data, where="7")
    with pytest.raises(ValueError, match="sparsity is 2, but must be one of"):
        OptimalBrainSurgeon().prepare(network, data).at(2)
    with torch.no_grad():
        network[2].weight.values[0, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="2.weight holds NaN"):
        OptimalBrainSurgeon().prepare(network, data)


def test_a_layer_that_no_picture_reaches_is_named(data):
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(784, 2), nn.Linear(6, 2)

        def forward(self, x):
            return self.used(x.flatten(1))

    with pytest.raises(ValueError, match="no picture reaches the layer 'unused'"):
        OptimalBrainSurgeon().prepare(adopt(Idle()), data)
    assert OptimalBrainSurgeon().prepare(adopt(Idle()), data, where="used").at(0.5)


def test_a_factor_whose_inputs_are_not_known_is_refused_in_a_sentence(data):
    factors = Separable(torch.randn(4, 2, 5), torch.randn(2, 1, 5))
    network = nn.Sequential(layers.Conv2d(factors, stride=3), nn.Flatten(), nn.Linear(256, 10))
    with pytest.raises(ValueError, match="0.weight.horizontal is a factor of a Separable.*prune before"):
        OptimalBrainSurgeon().prepare(adopt(network), data)
