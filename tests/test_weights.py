"""Each Weight computes what its equation says; all of them nest, train and multiply alike."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from labkit.weights import (
    Affine,
    Chain,
    Codebook,
    Dense,
    Fastfood,
    LowRank,
    Monarch,
    Signs,
    Sparse,
    TensorTrain,
    ToeplitzLike,
    Weight,
    as_weight,
)
from tests.compositions import weights


def rebuilt(weight: Weight) -> Weight:
    arguments = {
        name: rebuilt(value) if isinstance(value, Weight) else value for name, value in weight.arguments().items()
    }
    return Weight.enrolled[type(weight).__name__](**arguments)


@given(weights())
@settings(max_examples=200, deadline=None)
def test_any_composition_is_made_again_from_its_arguments(weight):
    assert weight().shape == weight.shape
    assert torch.equal(rebuilt(weight)(), weight())


@given(weights(shape=(4, 6)))
@settings(max_examples=100, deadline=None)
def test_the_fast_product_is_the_product_with_the_dense_weight(weight):
    x, bias = torch.randn(3, 6), torch.randn(4)
    assert torch.allclose(weight.linear(x, bias), F.linear(x, weight(), bias), atol=1e-4)


@given(weights(shape=(4, 3, 2, 2)))
@settings(max_examples=100, deadline=None)
def test_the_fast_convolution_is_the_convolution_with_the_dense_weight(weight):
    x, bias = torch.randn(2, 3, 5, 5), torch.randn(4)
    fast = weight.conv2d(x, bias, (2, 1), (1, 0), (1, 1), 1)
    assert torch.allclose(fast, F.conv2d(x, weight(), bias, (2, 1), (1, 0)), atol=1e-4)


@given(weights(shape=(3, 4)))
@settings(max_examples=100, deadline=None)
def test_take_returns_the_numbers_at_the_positions(weight):
    positions = torch.tensor([0, 5, 11])
    assert torch.equal(weight.take(positions)(), weight().flatten()[positions])


@given(weights(), st.data())
@settings(max_examples=200, deadline=None)
def test_select_returns_the_rows_or_columns_and_stays_a_weight_that_is_made_again(weight, data):
    dim = data.draw(st.integers(0, min(1, len(weight.shape) - 1)))
    picked = data.draw(st.lists(st.integers(0, weight.shape[dim] - 1), min_size=1, max_size=6))
    selected = weight.select(torch.tensor(picked), dim)
    expected = weight().index_select(dim, torch.tensor(picked))
    # What is computed as a product may be summed in another order.
    products = Chain | TensorTrain | ToeplitzLike | Fastfood | Monarch
    exact = not any(isinstance(part, products) for part in weight.modules())
    assert selected.shape == expected.shape
    assert torch.allclose(selected(), expected, rtol=0, atol=0 if exact else 1e-4)
    assert torch.equal(rebuilt(selected)(), selected())


def test_select_stays_compressed():
    codes, index = torch.tensor([[0, 1, 1], [1, 0, 1]]), torch.tensor([1])
    kinds = [
        Codebook(codes, torch.tensor([1.0, 2.0])),
        Affine(codes, torch.tensor([0.5, 2.0]), torch.tensor([0, 1])),
        Signs(codes, torch.tensor([0.5, 2.0])),
        Sparse(torch.tensor([1, 3, 4]), Codebook(torch.tensor([0, 1, 1]), torch.tensor([1.0, 2.0])), (2, 3)),
        LowRank(torch.ones(2, 1), torch.ones(1, 3), (2, 3)),
    ]
    for weight in kinds:
        for dim in (0, 1):
            assert type(weight.select(index, dim)) is type(weight)
    assert isinstance(kinds[3].select(index, 0).values, Codebook)


@given(weights(shape=(5, 4)))
@settings(max_examples=100, deadline=None)
def test_leaves_hold_one_number_for_each_they_show(weight):
    for path, leaf in weight.leaves("weight"):
        assert not leaf.inner and (leaf is weight or path.startswith("weight."))
    for _, leaf in weight.leaves("weight", matrices=True):
        assert len(leaf.shape) >= 2


def test_gradients_of_shared_values_are_summed_over_their_members():
    codes = torch.tensor([[0, 1, 1], [1, 0, 1]])
    weight = Codebook(codes, torch.tensor([1.0, 2.0]))
    slope = torch.arange(6.0).view(2, 3)
    (weight() * slope).sum().backward()
    assert weight.centroids.values.grad.tolist() == [slope[codes == 0].sum(), slope[codes == 1].sum()]


@pytest.mark.parametrize("count", [1, 2])
def test_the_gradient_of_a_step_is_summed_over_the_weights_that_use_it(count):
    codes, zero = torch.tensor([[0, 1, 3], [2, 0, 1]]), torch.tensor([1, 2][:count])
    weight = Affine(codes, torch.tensor([0.5, 2.0][:count]), zero)
    slope = torch.arange(6.0).view(2, 3)
    (weight() * slope).sum().backward()
    by_row = (slope * (codes - zero.view(-1, 1))).sum(1)
    assert weight.scale.values.grad.tolist() == (by_row if count == 2 else by_row.sum().view(1)).tolist()
    assert weight.sharing == 6 / count


def test_numbers_taken_from_one_grid_stay_whole_and_from_many_become_dense():
    codes, positions = torch.tensor([[0, 1, 3], [2, 0, 1]]), torch.tensor([1, 2, 4])
    taken = Affine(codes, torch.tensor(0.1), torch.tensor(1)).take(positions)
    assert isinstance(taken, Affine) and taken.codes.tolist() == [1, 3, 0]
    rows = Affine(codes, torch.tensor([0.1, 0.3]), torch.tensor([1, 2]))
    assert isinstance(rows.take(positions), Dense)


def test_zeros_get_no_gradient_and_stay_zero():
    weight = Sparse(torch.tensor([1, 4]), torch.tensor([1.0, 2.0]), (2, 3))
    (weight() * torch.arange(6.0).view(2, 3)).sum().backward()
    assert weight.values.values.grad.tolist() == [1.0, 4.0]


def test_zeros_among_survivors_become_one_list_of_positions():
    inner = Sparse(torch.tensor([0, 2]), torch.tensor([7.0, 9.0]), (3,))
    outer = Sparse(torch.tensor([1, 3, 5]), inner, (2, 3))
    assert outer.positions.tolist() == [1, 5] and isinstance(outer.values, Dense)
    assert outer().flatten().tolist() == [0, 7, 0, 0, 0, 9]


def test_multiplications_are_those_of_the_numbers_stored():
    assert LowRank(torch.ones(4, 2), torch.ones(2, 9), (4, 9)).macs() == 2 * (4 + 9)
    assert Sparse(torch.tensor([3]), torch.ones(1), (4, 9)).macs() == 1
    sparse_factor = Sparse(torch.tensor([0, 1]), torch.ones(2), (4, 2))
    assert LowRank(sparse_factor, torch.ones(2, 9), (4, 9)).macs() == 2 + 18
    assert Codebook(torch.zeros(4, 9, dtype=torch.int64), torch.ones(1)).macs() == 36


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Dense(torch.ones(2, dtype=torch.int64)), "values of a Dense must be floating point"),
        (lambda: Codebook(torch.tensor([0, 2]), torch.ones(2)), "codes reach from 0 to 2, but must lie from 0 to 1"),
        (lambda: Codebook(torch.tensor([0.5]), torch.ones(2)), "codes must be whole numbers"),
        (lambda: Codebook(torch.tensor([0]), torch.ones(2, 2)), "centroids must have one dimension"),
        (lambda: Affine(torch.tensor([[-1]]), torch.ones(1), torch.tensor([0])), "codes reach from -1 to -1"),
        (lambda: Affine(torch.tensor([[0]]), torch.ones(1), torch.tensor([2**16])), "zero reach from 65536"),
        (lambda: Affine(torch.tensor([[0.5]]), torch.ones(1), torch.tensor([0])), "codes must be whole numbers"),
        (lambda: Affine(torch.tensor([[0]]), torch.ones(1), torch.tensor([0.0])), "zero must be whole numbers"),
        (
            lambda: Affine(torch.zeros(2, 3).int(), torch.ones(3), torch.zeros(3).int()),
            "it must be \\(1,\\) or \\(2,\\)",
        ),
        (lambda: Affine(torch.zeros(2).int(), torch.ones(2), torch.zeros(2).int()), "it must be \\(1,\\)"),
        (lambda: Affine(torch.zeros(2, 3).int(), torch.ones(2), torch.zeros(1).int()), "zero has shape"),
        (lambda: Sparse(torch.tensor([2, 1]), torch.ones(2), (2, 2)), "ascending order"),
        (lambda: Sparse(torch.tensor([1, 1]), torch.ones(2), (2, 2)), "ascending order"),
        (lambda: Sparse(torch.tensor([4]), torch.ones(1), (2, 2)), "positions reach from 4 to 4"),
        (lambda: Sparse(torch.tensor([1]), torch.ones(2), (2, 2)), "equally long"),
        (lambda: LowRank(torch.ones(2, 1), torch.ones(2, 2), (2, 2)), "do not multiply"),
        (lambda: LowRank(torch.ones(2), torch.ones(2, 2), (2, 2)), "u must be a matrix"),
        (lambda: LowRank(torch.ones(2, 0), torch.ones(0, 2), (2, 2)), "do not multiply"),
    ],
)
def test_wrong_arguments_are_named(build, message):
    with pytest.raises((ValueError, TypeError), match=message):
        build()


def test_a_weight_is_left_as_it_is():
    weight = Dense(torch.ones(2))
    assert as_weight(weight) is weight


def test_a_subclass_that_forgets_something_says_so():
    class Forgetful(Weight):
        pass

    try:
        with pytest.raises(NotImplementedError, match="Forgetful must compute its weight"):
            Forgetful()()
        with pytest.raises(NotImplementedError, match="Forgetful must define its shape"):
            Forgetful().macs()
    finally:
        del Weight.enrolled["Forgetful"]
