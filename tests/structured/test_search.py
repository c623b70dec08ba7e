"""The search keeps to its budget, drops the worse half in each round, and comes out the same for a seed."""

import math

import pytest

from labkit import layers, zoo
from labkit.replacing import stored
from labkit.structured import METHODS, LowRank
from labkit.structured.search import candidates, search
from tests.pictures import few

ALL = [*(method() for method in METHODS), LowRank()]


@pytest.fixture(scope="module")
def pictures():
    return few(600, 500)


@pytest.mark.parametrize("budget", [800, 3_000, 8_000])
def test_each_structure_is_as_large_as_fits(budget):
    model = zoo.load("LeNet-300-100")
    for one in candidates(model, "fc1", budget, ALL):
        assert one.numbers == stored(layers.layers(one.model)["fc1"].weight) <= budget
        assert one.model.fc2.weight.shape == model.fc2.weight.shape and type(one.model.fc2.weight).__name__ == "Dense"
        knob = type(one.method)("random").prepare(model, where="fc1")
        sizes = [stored(knob.at(value).fc1.weight) for value in knob.knob.values]
        assert one.numbers == max(size for size in sizes if size <= budget)


def test_a_budget_too_small_for_all_is_refused():
    with pytest.raises(ValueError, match="no structure stores at most 3 numbers in fc2"):
        candidates(zoo.load("LeNet-300-100"), "fc2", 3, ALL)


def test_the_worse_half_goes_in_each_round(pictures):
    model = zoo.load("LeNet-300-100")
    rankings = [
        [(one.name, one.rounds, one.accuracy) for one in found]
        for found in search(model, pictures, "fc1", 3_000, ALL, pictures=300)
    ]
    first, last = rankings[0], rankings[-1]
    assert first[0][1] == 1 and all(rounds == 0 and math.isnan(share) for _, rounds, share in first[1:])
    count = len(first)
    assert sorted(rounds for _, rounds, _ in last) == sorted(
        [1] * (count // 2) + [2] * (math.ceil(count / 2) // 2) + [3] * math.ceil(math.ceil(count / 2) / 2)
    )
    for rounds in (1, 2, 3):
        shares = [share for _, done, share in last if done == rounds]
        assert shares == sorted(shares, reverse=True)
    again = list(search(model, pictures, "fc1", 3_000, ALL, pictures=300))[-1]
    assert [(one.name, one.rounds, one.accuracy) for one in again] == last
