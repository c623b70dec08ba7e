"""The nearest shared filters are what least squares finds, and what was trained under a rule is found again."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import zoo
from labkit.filters import P4, CReLU, DoublyConvolutional, MultiBias
from labkit.filters.p4 import Turning
from labkit.replacing import stored

brute = settings(max_examples=25, deadline=None)
CASES = [(CReLU, 2), (MultiBias, 3), (DoublyConvolutional, 4), (P4, Turning(4, 1)), (P4, Turning(2, 2))]


def written_by(method, shape, value):
    """The linear map from the stored numbers to the weight, one column for each number."""
    empty = method().empty(shape, value)
    columns = []
    for index in range(empty.filters.shape.numel()):
        one = torch.zeros(empty.filters.shape.numel(), dtype=torch.float64)
        one[index] = 1
        columns.append(empty.written(one.view(empty.filters.shape)).detach().numpy().ravel())
    return np.stack(columns, 1)


@pytest.mark.parametrize(("method", "value"), CASES)
@given(st.integers(0, 999))
@brute
def test_nearest_is_the_least_squares_fit(method, value, seed):
    random = np.random.RandomState(seed)
    shape = (4 * random.randint(1, 3), 2 * random.randint(1, 3), 3, 3)
    target = random.randn(*shape).astype(np.float32)
    design = written_by(method, shape, value)
    numbers = np.linalg.lstsq(design, target.ravel().astype(float), rcond=None)[0]
    found = method().nearest(torch.from_numpy(target), value, 0)
    np.testing.assert_allclose(found().detach().numpy().ravel(), design @ numbers, atol=1e-5)


@pytest.mark.parametrize(("method", "value"), CASES)
def test_a_drawn_weight_has_the_size_that_was_asked_for(method, value):
    weight = method("random").draw((64, 32, 3, 3), value, 0.1, torch.Generator().manual_seed(0))
    count = stored(weight)
    assert weight.shape == (64, 32, 3, 3) and abs(float(weight().detach().std()) - 0.1) < 0.1 * 4 / count**0.5
    again = method("random").draw((64, 32, 3, 3), value, 0.1, torch.Generator().manual_seed(0))
    assert torch.equal(weight(), again())


def test_a_network_that_was_trained_under_the_rule_loses_nothing():
    """The checkpoint of P4CNN holds every orientation; four times fewer numbers give the same answers."""
    model = zoo.load("P4CNN", "MNIST-rotated")
    small = P4().prepare(model).at(4)
    x = torch.randn(20, 1, 28, 28)
    torch.testing.assert_close(small(x), model(x), atol=1e-3, rtol=1e-3)
    assert stored(small) < stored(model) / 3.9
