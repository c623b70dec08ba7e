"""The displacement: its rank by numpy, zero for Toeplitz matrices, and words where there is nothing to compare."""

import numpy as np
import pytest
import scipy.linalg
import torch

from labkit import explore
from labkit.live.views.displacement import draw, rank
from labkit.pruning import FilterPruning
from labkit.structured import Monarch, ToeplitzLike
from labkit.weights import ToeplitzLike as Weight


def random(*shape, seed=0):
    return torch.from_numpy(np.random.RandomState(seed).randn(*shape)).float()


@pytest.mark.parametrize("shape", [(12, 12), (12, 20), (20, 12)])
@pytest.mark.parametrize("r", [1, 3])
def test_the_rank_of_any_corner_is_at_most_that_of_the_structure(shape, r):
    n = max(shape)
    now = Weight(random(r, n), random(r, n, seed=1), shape)().detach()
    shown = draw(random(*shape, seed=2), now, "fc1")
    whole = min(shape) - 1
    assert shown.title == f"fc1: the displacement had rank {whole}, now {r}" and shown.kind == "pairs"
    expected = now[:-1, :-1] - now[1:, 1:]
    assert np.linalg.matrix_rank(expected.double().numpy(), tol=1e-4 * np.linalg.norm(expected, 2)) == r


def test_a_toeplitz_matrix_has_none():
    toeplitz = torch.from_numpy(scipy.linalg.toeplitz(np.arange(5.0), np.arange(7.0))).float()
    shown = draw(random(5, 7), toeplitz, "fc1")
    assert shown.title.endswith("now 0") and not shown.values[0, 1].any()
    assert rank(torch.eye(3)) == 3 and rank(1e-6 * torch.eye(3) + torch.eye(1, 3).repeat(3, 1)) == 1


def test_the_panel_shows_it_and_says_where_there_is_none():
    panel = explore("LeNet-300-100", [ToeplitzLike(), Monarch()], knob=2).look("displacement").wait()
    assert panel._stage.parts["picture"]["title"] == "fc1: the displacement had rank 299, now 2"
    panel.close()
    panel = explore("LeNet-5", FilterPruning(), knob=0).look("displacement").wait()
    assert panel._stage.parts["picture"]["kind"] == "none"
    panel.close()
