"""The compensation and the saliency against least squares over the kept columns, for every subset of a small row."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from labkit.pruning import surgeon
from labkit.pruning.surgeon import Operation, compensate, damped, inverted

INPUTS = 6


def correlated(count: int, inputs: int = INPUTS, seed: int = 0) -> Tensor:
    """Pictures (count, inputs) whose pixels say nearly the same as their neighbours."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.eye(inputs) + 0.8 * torch.diag(torch.ones(inputs - 1), 1)
    return (torch.randn(count, inputs, generator=generator) @ mixing).double()


def brute_force(x: Tensor, w: Tensor, kept: list[int]) -> tuple[Tensor, float]:
    """Least squares over the kept columns: the best weights there, and half of the least damped error."""
    strength = 0.01 * x.square().mean()
    free = torch.eye(len(w)).double() * strength.sqrt()
    columns = torch.cat([x / len(x) ** 0.5, free])
    target = columns @ w
    best = torch.zeros_like(w)
    if kept:
        best[kept] = torch.linalg.lstsq(columns[:, kept], target, driver="gelsd").solution
    return best, float((columns @ best - target).square().sum() / 2)


@pytest.mark.parametrize("turn", [0.0, 1.0], ids=["by the removed", "by the kept"])
def test_every_subset_of_a_row_agrees_with_least_squares(turn, monkeypatch):
    monkeypatch.setattr(surgeon, "TURN", turn)
    x = correlated(40)
    w = torch.randn(INPUTS, generator=torch.Generator().manual_seed(1)).double()
    subsets = [list(kept) for size in range(INPUTS + 1) for kept in itertools.combinations(range(INPUTS), size)]
    mask = torch.zeros(len(subsets), INPUTS, dtype=torch.bool)
    for row, kept in enumerate(subsets):
        mask[row, kept] = True
    gram = damped(x.mT @ x / len(x))
    rows, costs = compensate(w.expand(len(subsets), -1), mask, gram, inverted(gram))
    for row, kept in enumerate(subsets):
        best, error = brute_force(x, w, kept)
        torch.testing.assert_close(rows[row], best)
        for q in range(INPUTS):
            if q in kept:
                further = brute_force(x, w, [k for k in kept if k != q])[1]
                assert float(costs[row, q]) == pytest.approx(further - error, rel=1e-6)
            else:
                assert float(costs[row, q]) == -1


def test_one_weight_goes_as_in_the_paper():
    x = correlated(40)
    w = torch.randn(INPUTS, generator=torch.Generator().manual_seed(1)).double()
    gram = damped(x.mT @ x / len(x))
    inverse = torch.linalg.inv(gram)
    kept = ~torch.eye(INPUTS, dtype=torch.bool)
    rows, _ = compensate(w.expand(INPUTS, -1), kept, gram, inverted(gram))
    for q in range(INPUTS):
        torch.testing.assert_close(rows[q], w - w[q] / inverse[q, q] * inverse[:, q])
    costs = compensate(w[None], torch.ones(1, INPUTS, dtype=torch.bool), gram, inverted(gram))[1]
    torch.testing.assert_close(costs[0], w.square() / (2 * inverse.diagonal()))


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 20), st.sampled_from([1, 300, 1 << 19]))
@settings(max_examples=60, deadline=None)
def test_rows_that_keep_unequal_numbers_are_solved_as_if_each_were_alone(seed, inputs, count, chunk):
    generator = torch.Generator().manual_seed(seed)
    gram = damped(torch.cov(torch.randn(inputs, 2 * inputs + 2, generator=generator).double()).view(inputs, inputs))
    rows = torch.randn(count, inputs, generator=generator).double()
    kept = torch.rand(count, inputs, generator=generator) < torch.rand(count, 1, generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surgeon, "CHUNK", chunk)
        new, costs = compensate(rows, kept, gram, inverted(gram))
        cheap, none = compensate(rows, kept, gram, inverted(gram), price=False)
    torch.testing.assert_close(cheap, new)
    assert bool((none == -1).all())
    for row, k in enumerate(kept):
        torch.testing.assert_close(new[row][k], torch.linalg.solve(gram[k][:, k], gram[k] @ rows[row]))
        inverse = torch.linalg.inv(gram[k][:, k])
        torch.testing.assert_close(costs[row][k], new[row][k].square() / (2 * inverse.diagonal()))
        assert not new[row][~k].any() and bool((costs[row][~k] == -1).all())


def test_single_precision_is_enough_for_pixels():
    x = correlated(500, 200).cumsum(1)  # neighbours correlate by up to 0.99
    gram = damped(x.mT @ x / len(x))
    rows = torch.randn(20, 200, generator=torch.Generator().manual_seed(1)).double()
    kept = torch.rand(20, 200, generator=torch.Generator().manual_seed(2)) < torch.linspace(0, 1, 20)[:, None]
    exact = compensate(rows, kept, gram, inverted(gram))[0]
    single = compensate(rows.float(), kept, gram.float(), inverted(gram).float())[0]
    assert float((single - exact).norm() / exact.norm()) < 1e-3


def test_costs_are_shares_of_the_output_whatever_its_scale():
    x, w = correlated(40).float(), torch.randn(4, INPUTS)
    every = torch.ones(4, INPUTS, dtype=torch.bool)
    grams = (x.mT @ x / len(x))[None]
    torch.testing.assert_close(Operation(w, every, grams).costs, Operation(7 * w, every, 9 * grams).costs)


def test_groups_see_their_own_inputs():
    x, w = torch.stack([correlated(40, seed=seed) for seed in (1, 2)]), torch.randn(4, INPUTS).double()
    grams = x.mT @ x / 40
    kept = torch.rand(4, INPUTS, generator=torch.Generator().manual_seed(3)) < 0.6
    together = Operation(w, kept, grams)
    for group in range(2):
        part = slice(2 * group, 2 * group + 2)
        alone = Operation(w[part], kept[part], grams[group : group + 1])
        torch.testing.assert_close(together.rows[group], alone.rows[0])


def test_a_dead_input_costs_nothing_and_changes_nothing():
    x = correlated(40).float()
    x[:, 2] = 0
    w = torch.full((1, INPUTS), 0.01)
    w[0, 2] = 100
    operation = Operation(w, torch.ones(1, INPUTS, dtype=torch.bool), (x.mT @ x / 40)[None])
    assert operation.costs[2] == 0 and int((operation.costs == 0).sum()) == 1
    operation.cut(torch.arange(INPUTS)[None] != 2)
    torch.testing.assert_close(operation.rows[0, 0], w[0] * (torch.arange(INPUTS) != 2))


def test_without_any_input_there_is_still_an_answer():
    operation = Operation(torch.ones(2, 3), torch.ones(2, 3, dtype=torch.bool), torch.zeros(1, 3, 3))
    assert operation.costs.tolist() == [0.0] * 6 and torch.equal(operation.rows[0], torch.ones(2, 3))
