"""A grid rounds as torch's own simulated quantization does, and nothing else is a grid."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.grid import Grid, highest, steps

REASONABLE = st.floats(1e-6, 1e6)


@st.composite
def grids(draw):
    bits = draw(st.integers(1, 8))
    symmetric = draw(st.booleans()) and bits > 1
    zero = 2 ** (bits - 1) - 1 if symmetric else draw(st.integers(0, 2**bits - 1))
    return Grid(bits, draw(REASONABLE), zero, symmetric)


def numbers(grid: Grid) -> torch.Tensor:
    """Numbers in and around the range, and every tie between two points."""
    low, high = grid.ends
    ties = (torch.arange(low - 2, high + 2) + 0.5) * grid.scale
    spread = 1.5 * grid.scale * (high - low + 1)
    return torch.cat([ties, spread * torch.randn(500, generator=torch.Generator().manual_seed(0)), torch.zeros(1)])


@given(grids())
@settings(deadline=None)
def test_values_and_gradients_are_those_of_torch(grid):
    ours, theirs = (numbers(grid).requires_grad_() for _ in range(2))
    slope = torch.randn(len(ours), generator=torch.Generator().manual_seed(1))
    top = highest(grid.bits, grid.symmetric)
    (grid(ours) * slope).sum().backward()
    expected = torch.fake_quantize_per_tensor_affine(theirs, grid.scale, grid.zero, 0, top)
    (expected * slope).sum().backward()
    assert torch.equal(grid(ours), expected) and torch.equal(ours.grad, theirs.grad)
    with torch.no_grad():
        assert torch.equal(grid(ours), expected)


@given(grids())
@settings(deadline=None)
def test_every_point_stays_and_all_else_goes_to_the_nearest(grid):
    points, x = grid.points(), numbers(grid)
    assert torch.equal(grid(points), points) and 0 in points
    nearest = (x[:, None] - points).abs().min(1).values
    torch.testing.assert_close((grid(x) - x).abs(), nearest, rtol=1e-4, atol=1e-4 * grid.scale)


def test_the_input_is_not_overwritten():
    x = torch.randn(50)
    before = x.clone()
    Grid(2, 0.5, 1)(x)
    assert torch.equal(x, before)


def test_a_symmetric_grid_is_as_wide_below_zero_as_above():
    points = Grid(3, 0.5, 3, symmetric=True).points()
    assert len(points) == 7 and torch.equal(points, -points.flip(0))


@given(grids())
@settings(deadline=None)
def test_the_refined_grid_covers_the_same_range_in_small_steps(grid):
    fine = grid.refined()
    (low, high), (fine_low, fine_high) = grid.ends, fine.ends
    assert fine_low * fine.scale == pytest.approx(low * grid.scale)
    # 2^16 - 1 is no multiple of the number of steps: what is left over lies above
    assert fine_high * fine.scale == pytest.approx(high * grid.scale, abs=(high - low) * fine.scale)
    assert fine.scale <= (high - low) * grid.scale / 60_000


def test_steps_may_differ_from_row_to_row():
    rows, scale, zero = torch.randn(3, 40), torch.tensor([[0.1], [0.2], [0.3]]), torch.tensor([[3], [8], [15]])
    found = steps(rows, scale, zero, 15)
    for row, expected in enumerate(found):
        assert torch.equal(expected, steps(rows[row], scale[row], zero[row], 15))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0.5, 0), "bits of a grid is 0"),
        ((17, 0.5, 0), "bits of a grid is 17"),
        ((2.0, 0.5, 0), "bits of a grid is 2.0"),
        ((True, 0.5, 0), "bits of a grid is True"),
        ((1, 0.5, 0, True), "bits of a grid is 1"),
        ((2, 0.0, 0), "scale of a grid is 0.0"),
        ((2, -1.0, 0), "scale of a grid is -1.0"),
        ((2, float("nan"), 0), "scale of a grid is nan"),
        ((2, float("inf"), 0), "scale of a grid is inf"),
        ((2, 1e-40, 0), "scale of a grid is 1e-40"),
        ((2, 3.4028236e38, 0), "scale of a grid is 3.4"),
        ((2, 10**400, 0), "scale of a grid is 1000"),
        ((2, "1", 0), "scale of a grid is '1'"),
        ((2, 0.5, -1), "zero of a grid is -1"),
        ((2, 0.5, 4), "zero of a grid is 4"),
        ((2, 0.5, 1.0), "zero of a grid is 1.0"),
        ((2, 0.5, 0, True), "zero of a symmetric grid is 0"),
    ],
)
def test_what_is_no_grid_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Grid(*arguments)


def test_a_grid_is_copied_and_set_whole_or_not_at_all():
    grid = Grid(4, 0.1, 3)
    other = copy.deepcopy(grid)
    other.set(3, 0.2, 3, True)
    assert grid.numbers == (4, pytest.approx(0.1), 3, False)
    with pytest.raises(ValueError):
        grid.set(3, 0.2, 9)
    assert grid.numbers == (4, pytest.approx(0.1), 3, False)
