"""The paper's format: it can be decoded, it is as large as the paper says, and as large as counting by hand says."""

import heapq
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import labkit
from labkit import zoo
from labkit.benchmark import published
from labkit.layers import Conv2d, Linear
from labkit.pruning import Magnitude
from labkit.pruning.deepcompression import DeepCompression
from labkit.pruning.gaps import PaperSize, compare, paper_bytes, positions_of, relative_index
from labkit.weights import Codebook, Sparse

positions = st.sets(st.integers(0, 3000), max_size=60).map(sorted)
LAYERS = [("LeNet-300-100", name) for name in ("fc1", "fc2", "fc3")]
LAYERS += [("LeNet-5", name) for name in ("conv1", "conv2", "fc1", "fc2")]


def by_hand(places, bits):
    """Walk over the zeros one by one, as the paper describes it."""
    gaps, filler, zeros = [], [], 0
    survivors = set(places)
    for place in range(max(places, default=-1) + 1):
        if place in survivors:
            gaps, filler, zeros = [*gaps, zeros], [*filler, False], 0
        elif zeros == 2**bits - 1:
            gaps, filler, zeros = [*gaps, zeros], [*filler, True], 0
        else:
            zeros += 1
    return gaps, filler


@given(positions, st.integers(1, 9))
def test_decoding_gives_the_positions_back_and_the_gaps_fit_their_bits(places, bits):
    gaps, filler = relative_index(np.array(places, np.int64), bits)
    assert positions_of(gaps, filler).tolist() == places
    assert all(0 <= gap < 2**bits for gap in gaps) and all(gaps[filler] == 2**bits - 1)


@given(positions, st.integers(1, 6))
def test_it_is_what_walking_over_the_zeros_gives(places, bits):
    gaps, filler = relative_index(np.array(places, np.int64), bits)
    assert (gaps.tolist(), filler.tolist()) == by_hand(places, bits)


def test_positions_that_cannot_be_are_refused():
    for wrong in ([3, 2], [1, 1], [-1, 4]):
        with pytest.raises(ValueError, match="positions must be from 0 on and ascend"):
            relative_index(np.array(wrong), 5)
    for bits in (0, 17, 2.0):
        with pytest.raises(ValueError, match=f"bits of a gap are {bits!r}, but must be a whole number from 1 to 16"):
            relative_index(np.array([1]), bits)


def layer(shape, places, codes, shared, bias=True):
    weight = Sparse(
        torch.tensor(places, dtype=torch.int64),
        Codebook(torch.tensor(codes, dtype=torch.int32), torch.arange(float(shared))),
        shape,
    )
    return (Linear if len(shape) == 2 else Conv2d)(weight, torch.zeros(shape[0]) if bias else None)


def test_a_tiny_layer_counted_by_hand():
    """Positions 0, 9, 10 with gaps of 2 bits: 0, then two fillers (3, 3) and 0, then 0."""
    tiny = layer((3, 4), [0, 9, 10], [0, 2, 1], 3)
    fixed = paper_bytes(tiny, 2, huffman=False)
    # 5 entries of 2 bits; 5 codes for 3 values and the filler's zero, 2 bits; 4 floats; 3 biases; 2 fillers of 4 bits.
    assert fixed == PaperSize(gaps=2, values=2, codebook=16, tables=0, bias=12, fillers=1)
    assert fixed.total == 32
    coded = paper_bytes(tiny, 2)
    # The gaps 0 3 3 0 0 take 1 bit each, 5 in all; the four codes of 0 z z 2 1 take 2 bits each, 10 in all.
    assert (coded.gaps, coded.values, coded.codebook, coded.bias) == (1, 2, 16, 12)
    assert coded.tables > 0 and coded.total == 31 + coded.tables


def huffman_bits(counts):
    """The bits of a Huffman-coded text: the sum of all merges."""
    heap, bits = [count for count in counts if count], 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        bits += merged
        heapq.heappush(heap, merged)
    return bits


@given(positions.filter(lambda places: len(places) > 3), st.integers(2, 8), st.randoms(use_true_random=False))
def test_both_streams_are_as_long_as_a_huffman_code_of_theirs(places, bits, random):
    codes = [random.randrange(5) for _ in places]
    gaps, filler = relative_index(np.array(places), bits)
    found = paper_bytes(layer((1, 3001), places, codes, 5), bits)
    assert found.gaps == math.ceil(huffman_bits(np.bincount(gaps)) / 8)
    assert found.values == math.ceil(huffman_bits([*np.bincount(codes), filler.sum()]) / 8)
    assert found.fillers <= found.gaps + found.values and (found.fillers > 0) == bool(filler.any())


@pytest.mark.parametrize(("network", "name"), LAYERS)
def test_at_the_papers_density_and_bits_it_is_as_large_as_the_paper_says(network, name):
    (stated,) = published.rows(paper="han2016", network=network, layer=name, stage="prune+quantize")
    shape = tuple(zoo.load(network, "MNIST").get_submodule(name).weight.shape)
    random, size, shared = np.random.RandomState(0), math.prod(shape), 2 ** int(stated.weight_bits) - 1
    places = np.sort(random.choice(size, round(size * stated.kept_percent / 100), replace=False))
    found = paper_bytes(
        layer(shape, places, random.randint(0, shared, len(places)), shared), int(stated.index_bits), huffman=False
    )
    # Densities are printed as whole percents, and whether the biases are counted is not said.
    low, high = (100 * bytes_ / (4 * size) for bytes_ in (found.total - found.bias, found.total))
    assert 0.95 * low < stated.size_percent < 1.05 * high
    assert high == pytest.approx(stated.size_percent, rel=0.06)


def test_an_empty_layer_has_only_its_bias():
    for coded in (False, True):
        found = paper_bytes(layer((2, 3), [], [], 0), 5, coded)
        assert found == PaperSize(0, 0, 0, 0, 8, 0)


def test_one_value_and_one_gap_need_no_bits():
    found = paper_bytes(layer((1, 8), [0, 1, 2], [0, 0, 0], 1, bias=False))
    assert found == PaperSize(gaps=0, values=0, codebook=4, tables=0, bias=0, fillers=0)


def test_the_table_adds_up_and_ours_is_the_file():
    model = DeepCompression(4).prepare(zoo.load("LeNet-300-100")).at(0.95)
    table = compare(model)
    assert [row[0][0] for row in table.rows] == ["fc1", "fc2", "fc3", "all layers"]
    numbers = [[int(cell[0].replace(",", "")) for cell in row[1:]] for row in table.rows]
    assert [sum(column[:-1]) for column in zip(*numbers, strict=True)] == numbers[-1]
    size = labkit.size(model)
    assert numbers[-1][2] == size.total - size.parts["structure"] and f"{size.total:,}" in table.note
    fixed, coded, ours = numbers[-1]
    assert ours < coded < fixed
    first = paper_bytes(model.fc1, huffman=False)
    assert table.rows[0][1] == (f"{first.total:,}", f"{first.fillers:,}") and first.fillers > 0


def test_what_the_format_cannot_hold_is_named():
    dense = zoo.load("LeNet-300-100")
    for model, kind in [(dense, "Dense"), (Magnitude().prepare(dense).at(0.9), "Sparse of a Dense")]:
        with pytest.raises(ValueError, match=f"fc1: the weight is a {kind}, but must be a Sparse of a Codebook"):
            compare(model)
