"""What is timed against n is real: right products, true bytes, a control, and a budget that is kept."""

import itertools

import pytest
import torch

from labkit import storage
from labkit.latency import Ratio
from labkit.layers import Linear
from labkit.structured import speed
from labkit.structured.speed import BATCHES, DENSE, SIZES, STRUCTURES, Timed, against_n, crossing, square
from labkit.weights import Dense


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("n", [64, 128])
def test_the_product_that_is_timed_is_right_and_its_bytes_are_the_files(name, n, tmp_path):
    weight = square(name, n)
    x = torch.randn(3, n, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(weight.linear(x), x @ weight().T, atol=1e-4)
    numbers, size, macs = speed._paper(n, weight)
    assert numbers == sum(one.numel() for one in weight.parameters()) and macs == weight.macs()
    network = torch.nn.Sequential(Linear(weight))
    assert size == storage.save(network, tmp_path / "layer.safetensors") >= 4 * numbers


def test_the_dense_bytes_are_those_of_a_file():
    dense = torch.nn.Sequential(Linear(Dense(torch.randn(64, 64))))
    assert speed._paper(64, None)[1] == pytest.approx(storage.size(dense).total, abs=40)


def test_each_size_and_batch_has_dense_and_all_structures_the_smallest_first():
    found = list(against_n(sizes=(128, 64), batches=BATCHES, rounds=3))
    told = [(one.n, one.batch, one.structure) for one in found]
    assert told == list(itertools.product((64, 128), BATCHES, (DENSE, *STRUCTURES)))
    assert all(one.seconds > 0 and one.ratio.rounds >= 3 for one in found)
    dense = [one for one in found if one.structure == DENSE]
    assert all(one.numbers == one.macs == one.n**2 and one.ratio.value == one.ratio.control for one in dense)


def test_sizes_that_would_take_too_long_are_left_out_but_not_the_smallest():
    ticks = itertools.count()
    found = list(against_n((64, 128, 256), (1,), ("circulant",), budget_s=1e-9, rounds=3, clock=lambda: next(ticks)))
    assert {one.n for one in found} == {64}


def test_mistakes_are_named():
    for wrong in ({"sizes": (1,)}, {"sizes": ()}, {"structures": ("square",)}):
        with pytest.raises(ValueError, match="give sizes from 2, and structures out of circulant"):
            list(against_n(**wrong))
    with pytest.raises(ValueError, match="at least 3"):
        list(against_n((64,), (1,), rounds=2))


def timed(n, value, low=None, high=None, structure="circulant"):
    ratio = Ratio(value, low or 0.9 * value, high or 1.1 * value, 1.0, 0.95, 1.05, 9)
    return Timed(structure, n, 1, n, 4 * n, n, 1.0, ratio)


def test_the_crossing_is_where_it_stays_really_faster():
    assert crossing([timed(64, 0.5), timed(128, 1.2), timed(256, 3.0)], "circulant", 1) == 128
    assert crossing([timed(64, 2.0), timed(128, 0.9), timed(256, 3.0)], "circulant", 1) == 256  # luck
    assert crossing([timed(64, 0.5), timed(128, 1.02), timed(256, 3.0)], "circulant", 1) == 256  # within the control
    assert crossing([timed(64, 1.2, low=0.8)], "circulant", 1) is None
    assert crossing([timed(64, 2.0)], "circulant", 256) is None and crossing([timed(64, 2.0)], "Fastfood", 1) is None
    assert SIZES[0] == 64 and SIZES[-1] == 8192
