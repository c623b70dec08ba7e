"""The small search finds what a search through everything finds, with fewer networks."""

import itertools

import pytest

from labkit import data, storage, zoo
from labkit.benchmark.composition import best, search, table
from labkit.lowrank import SVD
from labkit.measure import accuracy
from labkit.pruning import Magnitude
from labkit.quantization import KMeans

LOST = 0.01


@pytest.fixture(scope="module")
def mlp():
    return zoo.load("LeNet-300-100")


@pytest.mark.parametrize(("first", "values"), [(Magnitude(), (0.3, 0.5, 0.7)), (SVD(), (45, 91))])
def test_the_search_finds_the_best_of_all(first, values, mlp):
    pictures = data.load()
    found = list(search(mlp, pictures, [first], KMeans(), LOST, lambda curve: values))
    bar = accuracy(mlp, pictures).value - LOST
    sizes = []
    for value, bits in itertools.product(values, KMeans.knob.values):
        small = KMeans().prepare(first.prepare(mlp, pictures).at(value)).at(bits)
        if accuracy(small, pictures).value >= bar:
            sizes.append(storage.size(small).total)
    assert best(found).bytes == min(sizes)
    assert len(found) < len(values) * len(KMeans.knob.values)


def test_what_is_found_is_what_was_measured(mlp):
    pictures = data.load()
    for one in search(mlp, pictures, [Magnitude()], KMeans(), LOST, lambda curve: (0.5,)):
        assert storage.size(one.model).total == one.bytes and accuracy(one.model, pictures) == one.accuracy
        assert one.good == (one.accuracy.value >= accuracy(mlp, pictures).value - LOST)


def test_a_first_step_that_loses_too_much_ends_its_line(mlp):
    found = list(search(mlp, data.load(), [Magnitude()], KMeans(), LOST, lambda curve: (0.99, 0.95)))
    assert [one.title for one in found] == ["Magnitude pruning, sparsity 95 %"] and best(found) is None
    assert table(found).rows[0][0][0] == "none so far"


def test_a_share_that_is_none(mlp):
    with pytest.raises(ValueError, match="lost is 5"):
        next(search(mlp, data.load(), [Magnitude()], KMeans(), lost=5))
