"""Filters that stand for several: each kind against a loop that writes its copies out, and their products."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from labkit.layers import Conv2d, Linear
from labkit.macs import macs
from labkit.storage import load, save
from labkit.weights import Codebook, Copied, Dense, Expanded, Negated, Rotated, Translated

KINDS = ("negated", "copied", "translated", "lifting", "group", "expanded")
brute = settings(max_examples=40, deadline=None)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(kind, seed=0):
    """A Weight of a kind with random sides, and the arrays it is made of."""
    random = np.random.RandomState(seed)
    out, in_, k = random.randint(4, 12), random.randint(1, 4), random.choice([1, 2, 3])
    if kind == "negated":
        return Negated(drawn(-(-out // 2), in_, k, k, seed=seed), int(out))
    if kind == "copied":
        copies = int(random.randint(1, 5))
        return Copied(drawn(-(-out // copies), in_, k, k, seed=seed), copies, int(out))
    if kind == "translated":
        s = int(random.randint(1, 3))
        return Translated(drawn(-(-out // s**2), in_, k + s - 1, k + s, seed=seed), s, int(out))
    if kind == "lifting":
        return Rotated(drawn(2, in_, 1, k, k, seed=seed), int(random.choice([1, 2, 4])))
    if kind == "group":
        turns = int(random.choice([1, 2, 4]))
        return Rotated(drawn(2, in_, turns, k, k, seed=seed), turns)
    return Expanded(drawn(3, in_, seed=seed), drawn(2, in_, 3, 3, seed=seed + 1))


def written(weight):
    """The weight, filter by filter, in numpy."""
    if isinstance(weight, Expanded):
        points, squares = (one().detach().numpy() for one in (weight.points, weight.squares))
        return np.concatenate([np.pad(points[:, :, None, None], ((0, 0), (0, 0), (1, 1), (1, 1))), squares])
    stored, rows = weight.filters().detach().numpy(), []
    for one in stored:
        if isinstance(weight, Negated):
            rows += [one, -one]
        elif isinstance(weight, Copied):
            rows += [one] * weight.copies
        elif isinstance(weight, Translated):
            height, width = weight.shape[2:]
            for a in range(weight.shifts):
                rows += [one[:, a : a + height, b : b + width] for b in range(weight.shifts)]
        else:
            turns, slices = weight.turns, one.shape[1]
            for r in range(turns):
                order = [(q - r) % slices for q in range(slices)]
                rows.append(np.rot90(one[:, order], r * 4 // turns, (2, 3)).reshape(-1, *one.shape[2:]))
    return np.stack(rows)[: weight.out]


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 999))
@brute
def test_a_weight_is_its_filters_written_out_copy_by_copy(kind, seed):
    weight = made(kind, seed)
    assert weight().shape == weight.shape
    np.testing.assert_array_equal(weight().detach(), written(weight))


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 999), st.integers(1, 2), st.integers(0, 2), st.integers(1, 2))
@brute
def test_the_convolution_and_its_gradients_are_those_of_the_dense_weight(kind, seed, stride, padding, dilation):
    weight = made(kind, seed)
    x, bias = drawn(2, weight.shape[1], 7, 8, seed=1).requires_grad_(), drawn(weight.shape[0], seed=2)
    moves = (stride, stride), (padding, padding), (dilation, dilation)
    fast, dense = weight.conv2d(x, bias, *moves, 1), F.conv2d(x, weight(), bias, *moves)
    torch.testing.assert_close(fast, dense)
    inputs, dy = [x, *weight.parameters()], drawn(*dense.shape, seed=3)
    for one, other in zip(*(torch.autograd.grad(y, inputs, dy) for y in (fast, dense)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_same_padding_and_groups_give_what_the_dense_weight_gives(kind):
    weight = made(kind, 3)
    x = drawn(1, weight.shape[1], 6, 6)
    dense = F.conv2d(x, weight(), None, 1, "same")
    torch.testing.assert_close(weight.conv2d(x, None, (1, 1), "same", (1, 1), 1), dense)
    grouped = Copied(drawn(2, 3, 3, 3), 2, 4) if kind == "copied" else Negated(drawn(2, 3, 3, 3), 4)
    x = drawn(1, 6, 5, 5)
    torch.testing.assert_close(
        grouped.conv2d(x, None, (1, 1), (0, 0), (1, 1), 2), F.conv2d(x, grouped(), None, groups=2)
    )
    assert grouped.conv_macs((5, 5), (3, 3), 2, (0, 0)) == 4 * 27 * 9


@pytest.mark.parametrize("kind", ["negated", "copied"])
def test_matrices_may_be_shared_too(kind):
    weight = (Negated(drawn(3, 4), 5) if kind == "negated" else Copied(drawn(2, 4), 3, 5)).double()
    x, bias = drawn(2, 3, 4), drawn(5)
    torch.testing.assert_close(weight.linear(x, bias), F.linear(x, weight(), bias))
    assert weight.macs() == weight.filters().numel()


@pytest.mark.parametrize("turns", [1, 2, 4])
@pytest.mark.parametrize("side", [7, 8])
def test_maps_turn_and_move_on_when_the_picture_turns(turns, side):
    """T' Phi(x) = Phi(T x) through a lifting and two group layers with ReLUs between, for any filters."""
    layers = [Rotated(drawn(3, 2, 1, 3, 3), turns)]
    layers += [Rotated(drawn(3, 3, turns, 3, 3, seed=seed), turns) for seed in (1, 2)]

    def network(x):
        for weight in layers:
            x = F.relu(F.conv2d(x, weight(), padding=1))
        return x

    x, quarter = drawn(2, 2, side, side, seed=5), 4 // turns
    expected = torch.rot90(network(x), quarter, (2, 3)).unflatten(1, (-1, turns)).roll(1, 2).flatten(1, 2)
    torch.testing.assert_close(network(torch.rot90(x, quarter, (2, 3))), expected)
    if turns > 1:  # without moving on it is something else
        assert not torch.allclose(network(torch.rot90(x, quarter, (2, 3))), torch.rot90(network(x), quarter, (2, 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_holds_the_filters_and_gives_the_same_network(kind, tmp_path):
    weight = made(kind, 8).float()
    network = torch.nn.Sequential(Conv2d(weight, padding=1))
    like = torch.nn.Sequential(torch.nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:], bias=False))
    written_bytes = save(network, tmp_path / "one.safetensors")
    again, x = load(tmp_path / "one.safetensors", into=like), torch.randn(1, weight.shape[1], 9, 9)
    assert torch.equal(again(x), network(x)) and type(again[0].weight) is type(weight)
    assert written_bytes < 4 * sum(one.numel() for one in weight.parameters()) + 250


def test_multiplications_are_saved_where_one_convolution_serves_the_orbit():
    shape, plain = (3, 8, 8), 6 * 6 * 8 * 3 * 9
    for weight, cost in (
        (Negated(torch.ones(4, 3, 3, 3), 8), plain / 2),
        (Copied(torch.ones(2, 3, 3, 3), 4, 8), plain / 4),
        (Translated(torch.ones(2, 3, 4, 4), 2, 8), plain),
        (Rotated(torch.ones(2, 3, 1, 3, 3), 4), plain),
        (Expanded(torch.ones(4, 3), torch.ones(4, 3, 3, 3)), plain / 2 + plain / 18),
    ):
        assert macs(torch.nn.Sequential(Conv2d(weight)), shape) == cost


def test_inputs_can_be_removed_and_the_filters_stay_shared():
    index = torch.tensor([0, 2])
    for weight in (
        Negated(drawn(2, 3, 3, 3), 4),
        Translated(drawn(1, 3, 4, 4), 2, 4),
        Rotated(drawn(1, 3, 1, 3, 3), 4),
        Expanded(drawn(2, 3), drawn(2, 3, 3, 3)),
    ):
        fewer = weight.select(index, 1)
        assert type(fewer) is type(weight) and torch.equal(fewer(), weight()[:, index])
    group = Rotated(drawn(1, 2, 4, 3, 3), 4)
    assert type(group.select(index, 1)) is Dense and torch.equal(group.select(index, 1)(), group()[:, index])
    assert torch.equal(group.select(index, 0)(), group()[index])


def test_filters_may_be_any_weight():
    codes = torch.randint(0, 3, (2, 1, 3, 3))
    weight = Negated(Codebook(codes, torch.tensor([1.0, 2.0, 3.0])), 4)
    assert torch.equal(weight(), Negated(torch.tensor([1.0, 2.0, 3.0])[codes], 4)())
    assert [path for path, _ in weight.leaves("conv1.weight")] == ["conv1.weight.filters"]
    assert Linear(Negated(torch.ones(1, 2), 2))(torch.ones(1, 2)).tolist() == [[2.0, -2.0]]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Negated(drawn(3, 2), 4), "there must be 2 of them"),
        (lambda: Copied(drawn(1, 2), 0, 4), "copies is 0"),
        (lambda: Copied(drawn(1, 2), 2**40, 1), "whole number from 1 to 1"),
        (lambda: Copied(drawn(2, 2), 2.0, 4), "copies is 2.0"),
        (lambda: Translated(drawn(1, 1, 2, 2), 3, 9), "at least shifts = 3"),
        (lambda: Translated(drawn(1, 1, 2, 2), 0, 1), "shifts is 0"),
        (lambda: Rotated(drawn(1, 1, 1, 3, 3), 3), "turns is 3"),
        (lambda: Rotated(drawn(1, 1, 2, 3, 3), 4), "s = 1 or 4 slices"),
        (lambda: Rotated(drawn(1, 1, 1, 3, 2), 4), "must be"),
        (lambda: Expanded(drawn(2, 3), drawn(2, 4, 3, 3)), "must be"),
        (lambda: Expanded(drawn(2, 3), drawn(2, 3, 2, 2)), "k odd"),
    ],
)
def test_mistakes_are_named(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()
