"""The knapsack keeps its limit and finds the best choice there is, compared with all choices tried one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.lowrank.knapsack import GRID, choose, pick


@st.composite
def problems(draw, cost=st.integers(1, 60)):
    """Costs and losses of up to four layers with up to five choices each, in any order."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    costs = [np.array(draw(st.lists(cost, min_size=size, max_size=size)), float) for size in sizes]
    loss = st.floats(0, 3, allow_subnormal=False)
    losses = [np.array(draw(st.lists(loss, min_size=size, max_size=size))) for size in sizes]
    share = draw(st.floats(0, 1.2))
    least, most = (sum(float(f(one)) for one in costs) for f in (np.min, np.max))
    return costs, losses, least + share * (most - least)


def brute_force(costs, losses, limit):
    """Return the least loss of all choices within the limit."""
    found = [np.inf]
    for choice in itertools.product(*(range(len(one)) for one in costs)):
        if sum(one[index] for one, index in zip(costs, choice, strict=True)) <= limit:
            found.append(sum(one[index] for one, index in zip(losses, choice, strict=True)))
    return min(found)


@given(problems())
@settings(max_examples=300, deadline=None)
def test_whole_costs_get_the_best_choice_there_is(problem):
    costs, losses, limit = problem
    found = pick(costs, losses, limit)
    assert sum(one[index] for one, index in zip(costs, found, strict=True)) <= limit
    loss = sum(one[index] for one, index in zip(losses, found, strict=True))
    assert loss == pytest.approx(brute_force(costs, losses, limit), abs=1e-9)


@given(problems(st.floats(1e4, 1e7)))
@settings(max_examples=100, deadline=None)
def test_large_costs_keep_the_limit_and_lose_no_more_than_at_a_slightly_lower_one(problem):
    costs, losses, limit = problem
    found = pick(costs, losses, limit)
    assert sum(one[index] for one, index in zip(costs, found, strict=True)) <= limit * (1 + 1e-12)
    loss = sum(one[index] for one, index in zip(losses, found, strict=True))
    least = sum(float(one.min()) for one in costs)
    rounding = (len(costs) + 1) * (limit - least) / GRID
    assert loss <= brute_force(costs, losses, limit - rounding) + 1e-9


def test_what_rounding_leaves_over_is_spent():
    costs = [np.array([1e6, 2e6 + 1]), np.array([1e6, 2e6 - 1])]  # the two dear ones fill the limit to the last byte
    assert pick(costs, [np.array([1.0, 0.0])] * 2, 4e6) == [1, 1]


def test_layers_and_ranks_keep_their_names():
    costs = {"a": {4: 40, 8: 80, None: 100}, "b": {1: 5, 2: 10}}
    losses = {"a": {4: 0.5, 8: 0.1, None: 0.0}, "b": {1: 1.0, 2: 0.0}}
    assert choose(costs, losses, 110) == {"a": None, "b": 2}
    assert choose(costs, losses, 109) == {"a": 8, "b": 2}
    assert choose(costs, losses, 45) == {"a": 4, "b": 1}


def test_a_limit_out_of_reach_and_tables_that_differ_are_refused():
    with pytest.raises(ValueError, match="the cheapest ranks cost 15, more than the limit of 14"):
        choose({"a": {1: 15}}, {"a": {1: 0.0}}, 14)
    with pytest.raises(ValueError, match="the same ranks of the same layers"):
        choose({"a": {1: 15}}, {"a": {2: 0.0}}, 20)
    with pytest.raises(ValueError, match="more than the limit of nan"):
        choose({"a": {1: 15}}, {"a": {1: 0.0}}, float("nan"))
