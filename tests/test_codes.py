"""Tables of codes: found wherever they are nested, and the lengths that the file really has."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from labkit import zoo
from labkit.codes import CodeTable, code_table, code_tables
from labkit.layers import Linear
from labkit.live.views.tiles import code_entropy
from labkit.quantization import KMeans
from labkit.storage import tensors
from labkit.storage.symbols import table_size
from labkit.weights import Affine, Codebook, Dense, LowRank, Sparse
from tests.compositions import weights


def book(codes, count):
    return Codebook(torch.as_tensor(codes), torch.linspace(-1, 1, count))


@given(st.lists(st.integers(0, 300), min_size=1, max_size=40).filter(any))
def test_huffman_lies_between_the_entropy_and_one_bit_more(counts):
    table = CodeTable(np.array(counts))
    p = np.array(counts) / sum(counts)
    entropy = -sum(share * np.log2(share) for share in p if share)
    assert table.entropy == pytest.approx(entropy, abs=1e-9)
    assert table.average == pytest.approx(float(p @ table.lengths))
    if np.count_nonzero(counts) == 1:
        assert table.average == table.entropy == table.excess == 0
    else:
        assert table.average >= table.entropy - 1e-9 and 0 <= table.excess < 1
        assert sum(2.0**-length for length in table.lengths.tolist() if length) == 1  # Kraft
    assert table.fixed == int(np.ceil(np.log2(len(counts)))) and table.entropy <= table.fixed + 1e-9


def test_the_file_takes_the_average_for_each_code():
    model = KMeans().prepare(zoo.load("LeNet-300-100", "MNIST")).at(5)
    weight = model.fc1.weight
    table = code_table(weight)
    text = tensors.plan(weight.codes, (300, 784)).size - 3 - table_size(table.lengths)
    assert abs(8 * text / weight.codes.numel() - table.average) < 8 / weight.codes.numel()
    assert table.entropy < table.average < table.fixed == 5


def test_values_are_what_the_codes_stand_for():
    weight = book([[3, 0], [3, 1]], 5)
    table = code_table(weight)
    assert table.counts.tolist() == [1, 1, 0, 2, 0]
    assert np.array_equal(table.values[weight.codes.numpy()], weight().detach().numpy())
    grid = Affine(torch.tensor([[0, 1], [4, 2]]), torch.tensor([0.5]), torch.tensor([2]))
    assert np.array_equal(code_table(grid).values[grid.codes.numpy()], grid().detach().numpy())
    rows = Affine(torch.tensor([[0, 1], [4, 2]]), torch.tensor([0.5, 1.0]), torch.tensor([2, 0]))
    assert code_table(rows).values is None and code_table(rows).counts.tolist() == [1, 1, 1, 0, 1]


def test_codes_are_found_wherever_they_are_nested():
    assert code_table(Dense(torch.ones(2, 2))) is None
    survivors = Sparse(torch.tensor([0, 3, 5]), book([1, 1, 0], 2), (2, 4))
    assert code_table(survivors).counts.tolist() == [1, 2]
    factors = LowRank(book([[0], [1]], 2), book([[0, 1, 1]], 2), (2, 3))
    assert [table.counts.sum() for table in code_tables(factors)] == [2, 3]
    assert code_table(factors).counts.sum() == 3  # the larger of the two
    nothing = torch.tensor([], dtype=torch.long)
    assert code_table(Sparse(nothing, book(nothing, 0), (2, 2))) is None
    shared = Codebook(torch.tensor([0, 1]), Codebook(torch.tensor([0, 0]), torch.tensor([2.0])))
    assert code_table(shared).values.tolist() == [2, 2]


@given(weights())
def test_any_composition_has_tables_that_add_up(weight):
    tables = list(code_tables(weight))
    for table in tables:
        assert table.values is None or len(table.values) == len(table.counts)
        assert table.lengths.shape == table.counts.shape
    found = code_table(weight)
    assert (found is None) == (not tables)
    if isinstance(weight, Codebook | Affine):
        assert found.counts.sum() >= weight.shape.numel()


def test_the_panel_averages_over_all_codes():
    model = nn.Sequential(Linear(book([[0, 1]], 2)), Linear(book([[0, 0], [0, 0], [0, 0]], 2)))
    assert code_entropy(model) == pytest.approx(2 / 8)
    assert code_entropy(nn.Sequential(Linear(Dense(torch.ones(2, 2))))) is None
