"""A projection on a subspace of the outputs is the nearest matrix in it, and pays below the break-even rank."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.lowrank.subspace import SubspaceFit, project


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_a_projection_is_what_least_squares_finds_in_the_subspace(rows, columns, seed):
    random = np.random.RandomState(seed)
    matrix, basis = random.randn(rows, columns), random.randn(rows, random.randint(1, rows + 1))
    q, _ = np.linalg.qr(basis)
    u, v = project(torch.from_numpy(matrix), torch.from_numpy(q))
    nearest = q @ np.linalg.lstsq(q, matrix, rcond=None)[0]
    np.testing.assert_allclose((u @ v).numpy(), nearest, atol=1e-8)
    np.testing.assert_allclose(u.norm(dim=0).numpy(), v.norm(dim=1).numpy())  # balanced


def test_a_direction_that_carries_nothing_does_no_harm():
    u, v = project(torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.eye(2))
    torch.testing.assert_close(u @ v, torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
    assert u.isfinite().all() and v.isfinite().all()


def test_the_fit_pays_up_to_the_break_even_rank():
    fit = SubspaceFit(torch.eye(6), torch.ones(6), torch.randn(6, 12), torch.Size((6, 3, 2, 2)), "norm")
    assert fit.top == 3 and fit.at(3).shape == (6, 3, 2, 2) and fit.at(4) is None
    assert "left alone" in fit.picture(4, "conv").title and "rank 3 of 6" in fit.picture(3, "conv").title
