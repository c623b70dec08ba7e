"""No answer that rounding can change is taken from the fast run."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import doubt


@given(st.integers(0, 2**31 - 1), st.floats(1e-5, 0.05))
@settings(max_examples=100, deadline=None)
def test_what_is_not_in_doubt_has_the_exact_answer(seed, error):
    random = torch.Generator().manual_seed(seed)
    exact = torch.randn(200, 10, generator=random)
    scale = exact.abs().amax(1, keepdim=True)
    fast = exact + error * scale * (2 * torch.rand(exact.shape, generator=random) - 1)
    share = doubt.rounding(fast, exact)
    assert share <= error * 1.1
    sure = ~doubt.doubtful(fast, share)
    assert torch.equal(fast.argmax(1)[sure], exact.argmax(1)[sure])


def test_equal_outputs_and_outputs_that_are_not_numbers_are_in_doubt():
    outputs = torch.tensor([[1.0, 1.0], [float("nan"), 0.0], [float("inf"), 0.0], [0.0, 0.0], [5.0, 0.0]])
    assert doubt.doubtful(outputs, 0.01).tolist() == [True, True, True, True, False]
    assert doubt.rounding(outputs[1:2], outputs[1:2]) == 1.0
