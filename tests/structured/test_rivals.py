"""The controls store as many numbers as a Toeplitz-like layer, and are what they say."""

import numpy as np
import pytest
import torch

from labkit import layers, zoo
from labkit.replacing import stored
from labkit.structured import LowRank, Narrower, RandomSparse, ToeplitzLike
from labkit.structured.rivals import budget


@pytest.mark.parametrize("rank", [1, 4, 8])
def test_all_store_about_as_many_numbers(rank):
    model = zoo.load("LeNet-300-100")
    wanted = stored(ToeplitzLike("random").prepare(model).at(rank))
    assert stored(RandomSparse("random").prepare(model).at(rank)) == wanted
    assert stored(LowRank("random").prepare(model).at(rank)) == pytest.approx(wanted, rel=0.1)
    assert stored(Narrower().prepare(model).at(rank)) == pytest.approx(wanted, rel=0.11)
    square = zoo.build("MLP-784")
    square = layers.adopt(square)
    assert {stored(method("random").prepare(square).at(rank)) for method in (ToeplitzLike, LowRank)} == {
        8634 + 1568 * rank
    }


def test_the_published_totals_of_a_hidden_layer_of_784():
    model = layers.adopt(zoo.build("MLP-784"))
    totals = [stored(ToeplitzLike("random").prepare(model).at(rank)) for rank in (1, 2, 3, 4)]
    assert totals == [10_202, 11_770, 13_338, 14_906]  # structured-nets


def test_low_rank_is_the_nearest_of_its_rank():
    matrix = torch.randn(30, 50, generator=torch.Generator().manual_seed(0))
    weight = LowRank().nearest(matrix, 2, 0)
    rank = weight.u.shape[1]
    assert rank == round(budget((30, 50), 2) / 80)
    u, s, v = np.linalg.svd(matrix.double().numpy())
    np.testing.assert_allclose(weight().detach(), u[:, :rank] * s[:rank] @ v[:rank], atol=1e-4)


def test_random_sparse_keeps_the_trained_entries_at_its_positions():
    matrix = torch.randn(30, 50, generator=torch.Generator().manual_seed(0))
    weight = RandomSparse().nearest(matrix, 3, seed=1)
    dense = weight().detach()
    assert int((dense != 0).sum()) == budget((30, 50), 3) and torch.equal(dense[dense != 0], matrix[dense != 0])
    other = RandomSparse().nearest(matrix, 3, seed=2)
    assert not torch.equal(weight.positions, other.positions)


def test_fewer_neurons_are_drawn_once_and_refuse_a_single_layer():
    model = zoo.load("LeNet-300-100")
    curve = Narrower().prepare(model)
    assert torch.equal(curve.at(4).fc1.weight(), curve.at(4).fc1.weight())
    assert "neurons" in curve.picture(4, "fc1").title
    with pytest.raises(ValueError, match="leave where out"):
        Narrower().prepare(model, where="fc1")
    with pytest.raises(ValueError, match="only a row of fully connected layers"):
        Narrower().prepare(zoo.load("LeNet-5"))
    with pytest.raises(ValueError, match="must be one of"):
        curve.at(5)
