"""Streams of numbers: what goes in comes out, in as many bytes as planned, and in few."""

import contextlib
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labkit.storage import FileError, bits, floats, integers, tensors

DTYPES = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool]


def back(plan, count):
    data = plan.encode()
    assert len(data) == plan.size
    return integers.decode(data, count)


@given(st.integers(0, 64), st.integers(0, 200), st.integers(0, 9))
def test_packed_numbers_come_back(width, count, seed):
    numbers = np.random.default_rng(seed).integers(0, 2**width - 1, count, dtype=np.uint64, endpoint=True)
    data = bits.pack(numbers, width)
    assert len(data) == math.ceil(count * width / 8)
    assert bits.unpack(data, count, width).tolist() == numbers.tolist()


def test_packing_crosses_its_chunks():
    numbers = np.arange(bits.CHUNK + 77) % 8
    assert np.array_equal(bits.unpack(bits.pack(numbers, 3), len(numbers), 3), numbers)


@given(st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1))
def test_single_numbers_come_back(number, signed):
    assert bits.Bytes(bits.varint(number)).varint() == number
    assert bits.unzigzag(bits.Bytes(bits.varint(bits.zigzag(signed))).varint()) == signed


@settings(max_examples=300)
@given(
    st.sampled_from(DTYPES).flatmap(
        lambda d: hnp.arrays(str(d).removeprefix("torch."), hnp.array_shapes(min_dims=0, min_side=0))
    )
)
def test_whole_numbers_of_every_type_and_shape_come_back(array):
    tensor = torch.from_numpy(array)
    data, words = tensors.plan(tensor).encode(), tensors.describe(tensor)
    again = tensors.decode(data, words)
    assert len(data) == tensors.plan(tensor).size
    assert again.dtype == tensor.dtype and again.shape == tensor.shape and torch.equal(again, tensor)


@pytest.mark.parametrize("numbers", [[-(2**63), 2**63 - 1], [5], [-7, -7, -7], [0, 2**40], [2**63 - 1]])
def test_the_ends_of_int64_come_back(numbers):
    assert back(integers.plan(np.array(numbers)), len(numbers)).astype(np.int64).tolist() == numbers


positions = st.tuples(st.integers(1, 40), st.integers(1, 60), st.floats(0, 1), st.integers(0, 99))


@given(positions)
def test_positions_come_back_in_order_and_in_a_short_form(drawn):
    rows, columns, density, seed = drawn
    random = np.random.default_rng(seed)
    mask = random.random((rows, columns)) < density * random.random(columns)
    flat = np.flatnonzero(mask)
    with_grid, without = integers.plan(flat, (rows, columns)), integers.plan(flat)
    assert back(with_grid, len(flat)).tolist() == flat.tolist()
    assert back(without, len(flat)).tolist() == flat.tolist()
    assert with_grid.size <= 1.02 * without.size + 8  # the choice goes by the entropy, which nearly tells
    assert without.size <= (integers.plan_offsets(flat).size if len(flat) else 0)


def test_empty_columns_make_counting_down_the_columns_shorter():
    random = np.random.default_rng(0)
    mask = random.random((300, 784)) < np.where(random.random(784) < 0.5, 0.0, 0.3)
    flat = np.flatnonzero(mask)
    assert integers.plan(flat, mask.shape).size < 0.9 * integers.plan(flat).size
    assert back(integers.plan(flat, mask.shape), len(flat)).tolist() == flat.tolist()


def test_positions_at_random_take_little_more_than_their_entropy():
    mask = np.random.default_rng(0).random(200_000) < 0.08
    bound = len(mask) * -(0.08 * math.log2(0.08) + 0.92 * math.log2(0.92)) / 8
    assert bound < integers.plan(np.flatnonzero(mask)).size < 1.03 * bound


def test_a_few_long_gaps_do_not_make_the_others_expensive():
    near = np.arange(0, 4000, 4)
    apart = np.concatenate([near, near + 10**6])
    assert integers.plan(apart).size < 8 * len(apart) / 2
    assert back(integers.plan(apart), len(apart)).tolist() == apart.tolist()


def test_what_is_coded_with_equal_bits_is_never_longer_than_its_bits():
    codes = np.random.default_rng(0).integers(0, 16, 5000)
    assert integers.plan(codes).size <= 5000 * 4 / 8 + 3


@given(st.binary(max_size=40), st.integers(0, 100))
def test_any_bytes_are_whole_numbers_or_raise_file_error(data, count):
    with contextlib.suppress(FileError):
        assert len(integers.decode(data, count)) == count


SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, 2.0**-24, 2.0**-149, 65504.0, 65520.0, 3.0e38, 0.1]
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


@settings(max_examples=300)
@given(
    st.sampled_from(FLOATS),
    st.lists(st.sampled_from(SPECIAL), max_size=6),
    st.lists(st.integers(0, 2**63 - 1), max_size=4),
)
def test_floats_come_back_bit_for_bit(dtype, values, patterns):
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    raw = torch.tensor(patterns, dtype=torch.int64).bitwise_and(2 ** (8 * dtype.itemsize - 1) - 1).to(whole).view(dtype)
    tensor = torch.cat([torch.tensor(values, dtype=torch.float64).to(dtype), raw])
    plan = tensors.plan(tensor)
    again = tensors.decode(plan.encode(), tensors.describe(tensor))
    assert len(plan.encode()) == plan.size
    assert again.dtype == dtype and torch.equal(again.view(whole), tensor.view(whole))


@settings(max_examples=200)
@given(st.sampled_from(FLOATS), st.lists(st.sampled_from(SPECIAL), min_size=1, max_size=9), st.integers(1, 3000))
def test_few_distinct_floats_come_back_bit_for_bit_from_a_table(dtype, values, count):
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    which = torch.from_numpy(np.random.default_rng(count).integers(0, len(values), count))
    tensor = torch.tensor(values, dtype=torch.float64).to(dtype)[which]
    data = tensors.plan(tensor).encode()
    again = tensors.decode(data, tensors.describe(tensor))
    assert len(data) == tensors.plan(tensor).size <= 1 + dtype.itemsize * count
    assert torch.equal(again.view(whole), tensor.view(whole))


@pytest.mark.parametrize(("distinct", "exact", "width"), [(8, False, 4), (8, True, 2), (1, False, 4), (16, True, 2)])
def test_a_table_takes_its_values_and_the_bits_of_its_codes(distinct, exact, width):
    values = torch.linspace(-1, 1, distinct) if exact else torch.randn(distinct)
    tensor = (values.half().float() if exact else values).repeat(320 // distinct)
    code_bits = (distinct - 1).bit_length()
    assert tensors.plan(tensor).size == 2 + (1 + width * distinct) + (1 + 320 * code_bits // 8)


def test_a_table_tells_zeros_and_nans_apart_by_their_bits():
    patterns = np.array([0x00000000, 0x80000000, 0x7FC00001, 0x7FC00002, 0xFFC00001] * 20, np.uint32)
    data = floats.plan(patterns.view(np.float32)).encode()
    assert data[0] == floats.TABLE
    assert np.array_equal(floats.decode(data, 100, np.dtype(np.float32)).view(np.uint32), patterns)


def test_numbers_that_hardly_repeat_or_are_very_many_get_no_table():
    assert tensors.plan(torch.randn(1000)).encode()[0] == floats.AS_IS
    assert tensors.plan(torch.tensor([0.1]).repeat(floats.LONGEST + 1)).encode()[0] == floats.AS_IS


TABLE = floats.plan(np.array([0.5, 0.25, 2.0] * 10, np.float32)).encode()


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (TABLE, 20), (TABLE, 2), (TABLE[:-1], 30), (TABLE + b"0", 30), (TABLE[:1], 30), (TABLE[:4], 30),
        (bytes([floats.TABLE, 0]) + TABLE[2:], 30),  # a table of nothing
        (bytes([floats.TABLE, 31]) + TABLE[2:], 30),  # more in the table than there are numbers
        (TABLE[:2] + bytes([floats.TABLE]) + TABLE[3:], 30),  # a table in a table
        (TABLE[:2] + bytes([floats.FLOAT32]) + TABLE[3:], 30),  # no narrower format of float32
        (bytes([floats.TABLE, 1, floats.FLOAT16, 0, 0, 1, 128]), 8),  # the code 1 in a table of one
        (bytes([floats.TABLE, 1, floats.FLOAT16, 0, 0, 0]), 10**9),  # a billion numbers of no bits
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_refused(data, count):
    assert floats.decode(TABLE, 30, np.dtype(np.float32)).tolist() == [0.5, 0.25, 2.0] * 10
    with pytest.raises(FileError):
        floats.decode(data, count, np.dtype(np.float32))


@given(st.binary(max_size=40), st.integers(0, 100), st.sampled_from([np.float16, np.float32, np.float64]))
def test_any_bytes_are_floats_or_raise_file_error(data, count, dtype):
    for stream in (data, bytes([floats.TABLE]) + data):
        with contextlib.suppress(FileError):
            assert len(floats.decode(stream, count, np.dtype(dtype))) == count


@pytest.mark.parametrize("form", [torch.float16, torch.bfloat16])
def test_floats_take_half_where_they_fit_into_half(form):
    exact = torch.randn(1000).to(form).float()
    assert tensors.plan(exact).size == 2001
    off = exact.clone()
    off[-1] = 0.1
    assert tensors.plan(off).size == 4001


def test_a_nan_with_a_payload_is_not_narrowed():
    odd = np.array([0x7F800001], np.uint32).view(np.float32)
    assert floats.plan(odd).size == 5
    assert floats.decode(floats.plan(odd).encode(), 1, odd.dtype).view(np.uint32).tolist() == [0x7F800001]


@given(st.lists(st.integers(1, 4), max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_the_dimensions_in_memory_is_kept(shape, random):
    tensor = torch.randn(shape).permute(random.sample(range(len(shape)), len(shape)))
    again = tensors.decode(tensors.plan(tensor).encode(), tensors.describe(tensor))
    assert torch.equal(again, tensor) and again.stride() == tensor.stride()


@pytest.mark.parametrize(
    "tensor", [torch.ones(1, dtype=torch.complex64), torch.eye(2).to_sparse(), torch.ones([1] * 10)]
)
def test_a_tensor_of_another_kind_is_refused_in_a_sentence(tensor):
    with pytest.raises(ValueError, match="cannot be saved: convert it"):
        tensors.describe(tensor)
