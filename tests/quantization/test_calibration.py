"""Ranges and their errors, from a histogram, against the numbers themselves."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.grid import highest, steps
from labkit.quantization.calibration import (
    BINS,
    CALIBRATIONS,
    CANDIDATES,
    Histogram,
    min_max,
    mse,
    percentile,
    scale_and_zero,
    widest,
)


def drawn(kind: str, rows: int = 3, columns: int = 700) -> torch.Tensor:
    random = np.random.RandomState(0)
    values = {
        "normal": random.standard_normal((rows, columns)),
        "long tails": random.standard_t(3, (rows, columns)),
        "after a ReLU": np.maximum(random.standard_normal((rows, columns)), 0),
        "above 0": random.uniform(2, 3, (rows, columns)),
        "small": 1e-4 * random.laplace(size=(rows, columns)),
    }[kind]
    return torch.from_numpy(values * np.arange(1, rows + 1)[:, None]).float()


def squared_error(rows: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor, top: int) -> torch.Tensor:
    """The squared error of one grid for each row, number by number."""
    on_grid = torch.fake_quantize_per_channel_affine(rows, scale, zero, 0, 0, top)
    return (rows.double() - on_grid.double()).square().sum(1)


KINDS = ["normal", "long tails", "after a ReLU", "above 0", "small"]


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_least_squared_error_is_that_of_trying_every_range_on_every_number(kind, symmetric):
    rows = drawn(kind)
    histogram = Histogram.of(rows)
    for bits in (2, 3, 4, 8):
        top = highest(bits, symmetric)
        low, high = widest(histogram.low, histogram.high, symmetric)
        tried = [
            squared_error(rows, *scale_and_zero(low * share, high * share, bits, symmetric), top)
            for share in np.arange(1, CANDIDATES + 1) / CANDIDATES
        ]
        best = torch.stack(tried).min(0).values
        found = squared_error(rows, *scale_and_zero(*mse(histogram, bits, symmetric), bits, symmetric), top)
        assert (found >= best * (1 - 1e-9)).all() and (found <= 1.01 * best).all()


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_error_from_the_histogram_is_the_sum_over_the_numbers(kind, symmetric):
    rows = drawn(kind)
    histogram = Histogram.of(rows)
    for bits in (1, 2, 4, 8) if not symmetric else (2, 4, 8):
        for share in (0.2, 0.7, 1.0, 1.5):
            scale, zero = scale_and_zero(histogram.low * share, histogram.high * share, bits, symmetric)
            top = highest(bits, symmetric)
            found = histogram.squared_error(scale[:, None].double(), zero[:, None].double(), top)[:, 0]
            expected = squared_error(rows, scale, zero, top)
            # Only a number within half a bin of a middle may count for the wrong one of its two points.
            width = ((histogram.high - histogram.low) / BINS)[:, None]
            off = (rows / scale[:, None] % 1 - 0.5).abs() * scale[:, None]
            most = ((off <= 0.5001 * width) * scale[:, None] * width).sum(1)
            assert ((found - expected).abs() <= most + 1e-5 * expected).all()


def test_where_no_bin_lies_on_both_sides_of_a_middle_the_error_is_exact():
    rows = torch.tensor([[0.0, 1.0, 1.0, 2.0, 2048.0]])  # bins of width 1
    histogram = Histogram.of(rows)
    scale, zero = torch.tensor([[10.0]], dtype=torch.float64), torch.tensor([[0.0]], dtype=torch.float64)
    # points 0, 10, 20, 30: four numbers go to 0, the last to 30
    assert histogram.squared_error(scale, zero, 3).item() == 1 + 1 + 4 + (2048 - 30) ** 2


def test_numbers_that_come_in_parts_count_as_one():
    rows = drawn("long tails", rows=2)
    whole, parts = Histogram.of(rows), Histogram(rows.amin(1), rows.amax(1))
    for part in rows.split(100, dim=1):
        parts.add(part)
    assert torch.equal(whole.counts, parts.counts) and torch.allclose(whole.sums, parts.sums)
    assert torch.allclose(whole.squares, parts.squares)
    assert torch.equal(whole.counts[:, -1], torch.tensor([700.0, 700.0]).double())
    for row in range(2):
        expected, _ = np.histogram(rows[row].double().numpy(), BINS)
        assert (whole.counts[row].diff() - torch.from_numpy(expected)).abs().sum() <= 4  # but for rounding at edges


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [50, 99, 99.9, 100])
def test_the_percentile_covers_its_share_and_is_that_of_the_sorted_numbers(kind, share):
    rows = drawn(kind)
    low, high = percentile(Histogram.of(rows), 8, False, share)
    inside = ((rows >= low[:, None]) & (rows <= high[:, None])).double().mean(1)
    assert (inside >= share / 100 - 2 / 700).all()
    out = (100 - share) / 200
    width = (rows.amax(1) - rows.amin(1)) / BINS
    for row in range(3):
        left, right = (float(rows[row].sort().values[k]) for k in (int(699 * out), 699 - int(699 * out)))
        gap = 2 * float(width[row]) + float(rows[row].sort().values.diff().max()) * (share < 100)
        assert abs(float(low[row]) - left) <= gap and abs(float(high[row]) - right) <= gap


def test_all_of_the_numbers_are_the_whole_range():
    rows = drawn("normal")
    for ends in (min_max(Histogram.of(rows), 8, False), percentile(Histogram.of(rows), 8, False, share=100)):
        torch.testing.assert_close(torch.stack(ends), torch.stack([rows.amin(1), rows.amax(1)]).double())


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20), st.integers(2, 8), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_numbers_get_a_grid_that_has_a_point_at_zero(values, bits, symmetric):
    rows = torch.tensor([values])
    for calibrate in CALIBRATIONS.values():
        scale, zero = scale_and_zero(*calibrate(Histogram.of(rows), bits, symmetric), bits, symmetric)
        top = highest(bits, symmetric)
        assert scale.isfinite().all() and (scale > 0).all() and ((zero >= 0) & (zero <= top)).all()
        assert not symmetric or zero.item() == 2 ** (bits - 1) - 1
        assert steps(torch.zeros(1), scale, zero, top).item() == 0
        found = scale * steps(rows, scale, zero, top)
        assert found.isfinite().all()
        if calibrate is min_max:  # nothing is cut off, but for the rounding of the zero
            assert ((found - rows).abs() <= scale * (1 + 1e-4)).all()


@pytest.mark.parametrize("rows", [torch.empty(1, 0), torch.empty(0, 3), torch.ones(3)])
def test_no_numbers_have_no_range(rows):
    with pytest.raises(ValueError, match="have no range: give at least one row of one number"):
        Histogram.of(rows)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="NaN or infinite"):
        Histogram.of(torch.tensor([[1.0, bad, 2.0]]))


@pytest.mark.parametrize("share", [0, -1, 101, float("nan")])
def test_a_share_is_a_percentage(share):
    with pytest.raises(ValueError, match="must be a percentage"):
        percentile(Histogram.of(torch.ones(1, 3)), 8, False, share)
