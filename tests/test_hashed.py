"""The hash is even, the same everywhere and free, and what shares a number trains it together."""

import os

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from labkit import adopt, layers
from labkit.measure import parameters
from labkit.quantization import KMeans
from labkit.sharing import by_sharing
from labkit.storage import FileError, load, save, size
from labkit.weights import Codebook, Dense, Hashed
from labkit.weights.hashed import mix, places

CHANCE = 1e-4  # of a fair hash failing one of the tests of evenness
SEEDS = (0, 1, 2, 12345, 2**63 - 1)


def mixed(number: int) -> int:
    """splitmix64 in Python's own whole numbers, which never overflow."""
    z = (number + 1) * 0x9E3779B97F4A7C15 % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def split(place, count):
    """Return buckets and signs."""
    return (place % count).numpy(), (place >= count).int().numpy()


def test_the_hash_is_that_of_whole_numbers_without_end():
    numbers = [0, 1, 2, 784_000, 2**32, 2**63, 2**64 - 1]
    assert mix(np.array(numbers, np.uint64)).tolist() == [mixed(number) for number in numbers]
    # the first outputs of the generator for seed 0, as its users print them
    assert [mixed(n) for n in range(3)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [1, 7, 1000])
def test_places_follow_the_definition_across_blocks(seed, count):
    found = places(seed, count, 2**16 + 100)
    for index in [0, 1, 2, 777, 2**16 - 1, 2**16, 2**16 + 99]:
        z = mixed(index ^ mixed(seed))
        assert int(found[index]) == (z >> 32) * count // 2**32 + (z & 1) * count


@pytest.mark.parametrize("seed", SEEDS)
def test_buckets_and_signs_are_even_and_independent(seed):
    for count in (2, 10, 1000):
        buckets, signs = split(places(seed, count, 100_000), count)
        assert stats.chisquare(np.bincount(buckets, minlength=count)).pvalue > CHANCE
        assert stats.chisquare(np.bincount(signs, minlength=2)).pvalue > CHANCE
        table = np.histogram2d(buckets, signs, (count, 2))[0]
        assert stats.chi2_contingency(table).pvalue > CHANCE


@pytest.mark.parametrize("apart", [1, 28, 784])
def test_neighbours_in_a_row_and_in_a_column_have_nothing_in_common(apart):
    place = places(3, 8, 200_000).numpy()
    table = np.histogram2d(place[:-apart], place[apart:], 16)[0]
    assert stats.chi2_contingency(table).pvalue > CHANCE


@pytest.mark.parametrize("other", [1, 2, 2**32, 2**62])
def test_two_seeds_have_nothing_in_common(other):
    table = np.histogram2d(places(0, 8, 200_000), places(other, 8, 200_000), 16)[0]
    assert stats.chi2_contingency(table).pvalue > CHANCE


def test_the_gradient_of_a_value_is_summed_over_its_bucket_with_the_signs():
    weight, slope = Hashed(torch.randn(5), 11, (6, 7)), torch.randn(6, 7)
    (weight() * slope).sum().backward()
    expected = torch.zeros(5)
    for place, step in zip(places(11, 5, 42).tolist(), slope.flatten(), strict=True):
        expected[place % 5] += step if place < 5 else -step
    assert torch.allclose(weight.values.values.grad, expected, atol=1e-6)


def test_a_file_holds_the_values_and_the_seed_alone(tmp_path):
    network = nn.Sequential(layers.Linear(Hashed(torch.randn(100), 7, (80, 50)), torch.randn(80)))
    before = size(network)
    shown = network[0].weight()
    assert size(network) == before and before.total < 4 * (100 + 80) + 300
    assert parameters(network) == 180
    assert save(network, tmp_path / "hashed") == os.path.getsize(tmp_path / "hashed") == before.total
    again = load(tmp_path / "hashed")
    assert torch.equal(again[0].weight(), shown) and again[0].weight.seed == 7


def test_a_list_of_hashed_numbers_is_counted_by_its_values_too():
    weight = Hashed(torch.randn(10), 7, (40,))
    weight()
    assert parameters(weight) == 10


def test_loading_a_file_takes_no_memory_for_what_it_claims_to_show(tmp_path):
    network = nn.Sequential(layers.Linear(Hashed(torch.randn(3), 0, (2**14, 2**13))))
    save(network, tmp_path / "large")
    assert load(tmp_path / "large")[0].weight._places is None
    with pytest.raises(FileError, match="shows more than 1048576 numbers"):
        load(tmp_path / "large", limit=2**20)


def test_the_optimiser_hears_how_many_weights_share_a_number():
    layer = layers.Linear(Hashed(torch.randn(10), 0, (8, 20)))
    (group,) = by_sharing(layer, list(layer.parameters()))
    assert group["sharing"] == 16


def test_the_shared_values_are_what_another_method_compresses(tmp_path):
    network = adopt(nn.Sequential(nn.Linear(50, 40)))
    network = layers.replace(network, {"0.weight": Hashed(torch.randn(200), 3, (40, 50))})
    clustered = KMeans().prepare(network).at(2)
    assert isinstance(clustered[0].weight, Hashed) and isinstance(clustered[0].weight.values, Codebook)
    assert len(clustered[0].weight().abs().unique()) <= 4 and clustered[0].weight.seed == 3
    assert size(clustered).total < size(network).total - 600
    save(clustered, tmp_path / "both")
    assert torch.equal(load(tmp_path / "both")[0].weight(), clustered[0].weight())


@pytest.mark.parametrize(
    ("values", "seed", "message"),
    [
        (torch.ones(2, 2), 0, "values must be a list"),
        (torch.ones(0), 0, "values must be a list"),
        (torch.ones(2), -1, "seed is -1, but must be a whole number"),
        (torch.ones(2), 2**63, "seed is 9223372036854775808"),
        (torch.ones(2), 0.5, "seed is 0.5"),
        (torch.ones(2), True, "seed is True"),
    ],
)
def test_wrong_arguments_are_named(values, seed, message):
    with pytest.raises(ValueError, match=message):
        Hashed(Dense(values), seed, (2, 3))
