"""The rivals of HashedNets store as many numbers, and each computes what its equation says."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from labkit import adopt, zoo
from labkit.benchmark.catalogue import methods
from labkit.data import load as load_data
from labkit.measure import parameters
from labkit.pruning import METHODS, RIVALS, HashedNets, LowRankFixed, Narrower, RandomEdges
from labkit.pruning.hashed import SHARES
from labkit.storage import load, save, size
from labkit.train import Recipe
from labkit.weights import LowRank, Sparse

BRIEF = Recipe(epochs=1, batch=100, learning_rate=0.1)


@pytest.fixture
def network():
    torch.manual_seed(0)
    plain = zoo.build("LeNet-300-100")
    made = adopt(plain).eval()
    made.origin = plain.origin
    return made


@pytest.fixture(scope="module")
def images():
    """MNIST with 300 pictures to train on: three steps."""
    whole = load_data("MNIST")
    return replace(whole, train=whole.train.take(slice(0, 300)))


def test_a_sweep_may_name_the_rivals_and_no_panel_offers_them():
    named = methods("pruning")
    assert {f"pruning.{rival.__name__}" for rival in RIVALS} <= named.keys() and not set(RIVALS) & set(METHODS)
    assert list(named.values()) == [*METHODS, *RIVALS]
    assert "quantization.KMeans" in methods("quantization")


@pytest.mark.parametrize("share", [1 / 8, 1 / 64])
def test_all_store_as_many_numbers_in_the_papers_network(share):
    network = adopt(zoo.build("MLP-1000"))
    found = {kind: parameters(kind().prepare(network).at(share)) for kind in (HashedNets, *RIVALS)}
    assert found[RandomEdges] == found[HashedNets]
    assert all(abs(count / found[HashedNets] - 1) < 0.03 for count in found.values()), found


@pytest.mark.parametrize("kind", RIVALS)
def test_a_network_comes_back_from_its_file_and_trains(kind, network, images, tmp_path):
    curve = kind().prepare(network)
    assert parameters(curve.at(1)) == 266_610
    *_, (_, trained) = curve.train(1 / 16, images, BRIEF)
    trained.eval()
    assert parameters(trained) == parameters(curve.at(1 / 16))
    assert save(trained, tmp_path / "small") == size(trained).total == (tmp_path / "small").stat().st_size
    x = torch.randn(3, 1, 28, 28)
    assert torch.equal(load(tmp_path / "small")(x), trained(x))
    assert not torch.equal(trained(x), curve.at(1 / 16)(x))


@pytest.mark.parametrize("kind", RIVALS)
def test_a_picture_shows_each_value_of_the_knob(kind, network):
    curve = kind().prepare(network)
    for share in SHARES:
        picture = curve.picture(share, "fc1")
        assert "fc1" in picture.title and "fc1" in picture.text and picture.values.size


@pytest.mark.parametrize("kind", RIVALS)
def test_a_value_off_the_knob_names_the_allowed_ones(kind, network):
    with pytest.raises(ValueError, match="share is 0.3, but must be one of 1, 0.5"):
        kind().prepare(network).at(0.3)


def test_random_edges_keep_their_weights_and_their_places(network, images):
    curve = RandomEdges().prepare(network)
    small, smaller = curve.at(1 / 8), curve.at(1 / 16)
    assert isinstance(small.fc1.weight, Sparse) and len(small.fc1.weight.positions) == 300 * 784 // 8
    kept = small.fc1.weight() != 0
    assert torch.equal(small.fc1.weight()[kept], network.fc1.weight()[kept])
    assert bool((kept >= (smaller.fc1.weight() != 0)).all())
    *_, (_, trained) = curve.train(1 / 8, images, BRIEF)
    assert torch.equal(trained.fc1.weight.positions, small.fc1.weight.positions)


def test_the_fixed_factor_is_random_signs_and_the_other_the_least_squares_fit(network, images):
    curve = LowRankFixed().prepare(network)
    weight = curve.at(1 / 8).fc1.weight
    u, v = weight.u().detach(), weight.v()
    assert isinstance(weight, LowRank) and u.shape == (300, 98)
    assert torch.allclose(v.abs(), torch.tensor(784**-0.5)) and abs(float(v.sign().mean())) < 0.02
    left = network.fc1.weight().detach() - u @ v
    assert float((left @ v.T).abs().max()) < 1e-4 * float(left.abs().max()) * 784**0.5
    *_, (_, trained) = curve.train(1 / 8, images, BRIEF)
    assert torch.equal(trained.fc1.weight.v(), v) and not torch.equal(trained.fc1.weight.u(), u)
    assert size(trained).parts["fc1"] < 4 * (300 * 98 + 300) + 20


def test_the_small_network_is_the_same_whenever_it_is_asked_for_and_leaves_the_dice_alone(network):
    curve = Narrower().prepare(network)
    before = torch.get_rng_state()
    one, two = curve.at(1 / 8), curve.at(1 / 8)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.fc2.weight(), two.fc2.weight()) and one.fc2.weight.shape == (14, 42)
    assert torch.equal(curve.at(1).fc1.weight(), network.fc1.weight())
    assert network.fc1.weight.shape == (300, 784)


def test_only_a_row_of_fully_connected_layers_is_made_narrower(network):
    with pytest.raises(ValueError, match="only a row of fully connected layers"):
        Narrower().prepare(adopt(zoo.build("LeNet-5")))
    with pytest.raises(ValueError, match="but bn1.weight is as wide"):
        Narrower().prepare(adopt(zoo.build("MLP-3x512")))
    with pytest.raises(ValueError, match="leave where out"):
        Narrower().prepare(network, where="fc1")
    with pytest.raises(ValueError, match="choose one of fc1, fc2, fc3"):
        Narrower().prepare(network).picture(1 / 8, "fc9")


def test_a_network_without_biases_stays_without(network):
    plain = adopt(nn.Sequential(nn.Linear(20, 16, bias=False), nn.ReLU(), nn.Linear(16, 4, bias=False)))
    small = Narrower().prepare(plain).at(1 / 4)
    assert small[0].bias is None and parameters(small) == 24 * 4
