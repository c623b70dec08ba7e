"""The Huffman code against an independent one, its bounds, and texts that must not be believed."""

import contextlib
import itertools
import math
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.storage import FileError, huffman, symbols
from labkit.storage.bits import Bytes

histograms = st.lists(st.integers(0, 2000), min_size=2, max_size=80).filter(lambda counts: sum(map(bool, counts)) >= 2)


def bits_by_merging(counts):
    """The length of an optimal text: what each merge of the two rarest costs, summed up."""
    groups, total = sorted(count for count in counts if count), 0
    while len(groups) > 1:
        merged = groups[0] + groups[1]
        total += merged
        groups = sorted([*groups[2:], merged])
    return total


def bits_by_trying(counts):
    """The length of an optimal text, found among all lengths that satisfy Kraft's inequality."""
    allowed = itertools.product(range(1, len(counts)), repeat=len(counts))
    fitting = [lengths for lengths in allowed if sum(2.0**-length for length in lengths) <= 1]
    return min(sum(count * length for count, length in zip(counts, lengths, strict=True)) for lengths in fitting)


def text_of(counts, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


@given(histograms)
def test_no_code_is_shorter_and_the_entropy_bounds_it(counts):
    counts = np.array(counts)
    lengths = huffman.code_lengths(counts)
    bits = huffman.text_bits(counts, lengths)
    assert bits == bits_by_merging(counts.tolist())
    share = counts[counts > 0] / counts.sum()
    entropy = -sum(p * math.log2(p) for p in share)
    assert entropy - 1e-9 <= bits / counts.sum() < entropy + 1
    assert sum(2.0 ** -int(length) for length in lengths if length) == 1
    assert (lengths > 0).tolist() == (counts > 0).tolist()


@pytest.mark.parametrize("counts", [(1, 1), (5, 1, 1), (7, 3, 2, 1), (1, 1, 1, 1, 1), (13, 8, 5, 3, 2)])
def test_brute_force_over_all_codes_finds_nothing_shorter(counts):
    lengths = huffman.code_lengths(np.array(counts))
    assert huffman.text_bits(np.array(counts), lengths) == bits_by_trying(counts)


@given(histograms, st.integers(0, 9))
def test_a_text_comes_back_from_exactly_as_many_bits_as_said(counts, seed):
    text = text_of(counts, seed)
    lengths = huffman.code_lengths(np.array(counts))
    data = huffman.encode(text, lengths)
    assert len(data) == math.ceil(huffman.text_bits(np.array(counts), lengths) / 8)
    assert huffman.decode(data, lengths, len(text)).tolist() == text.tolist()


def test_codewords_are_those_of_the_bits_one_by_one():
    counts = np.array([40, 3, 0, 17, 9, 9, 1])
    lengths, text = huffman.code_lengths(counts), text_of(counts)
    ordered, codewords = huffman.canonical(lengths)
    longest = int(lengths.max())
    words = {int(s): f"{int(c):0{longest}b}"[: lengths[s]] for s, c in zip(ordered, codewords, strict=True)}
    bits = "".join(words[symbol] for symbol in text.tolist())
    data = huffman.encode(text, lengths)
    assert "".join(f"{byte:08b}" for byte in data)[: len(bits)] == bits
    assert not any(a != b and b.startswith(a) for a in words.values() for b in words.values())


def test_a_long_text_crosses_the_pieces_in_which_it_is_worked_on():
    counts = np.array([200_000, 90_000, 30_000, 9_000, 900, 90, 9, 1])
    text = text_of(counts)
    lengths = huffman.code_lengths(counts)
    data = huffman.encode(text, lengths)
    assert len(text) > huffman.PART and len(data) > 2 * huffman.CHUNK
    assert np.array_equal(huffman.decode(data, lengths, len(text)), text)


def test_shorter_than_zlib_on_codes_that_lie_at_random():
    codes = np.clip(np.random.default_rng(1).normal(16, 4, 18_800), 0, 31).astype(np.uint8)
    counts = np.bincount(codes)
    huffman_bytes = symbols.choose(counts).size
    assert huffman_bytes < len(zlib.compress(codes.tobytes(), 9))
    assert huffman_bytes >= huffman.entropy(counts) * len(codes) / 8


def test_codewords_stay_below_the_limit_where_counts_grow_like_fibonacci_numbers():
    counts = [1, 1]
    while len(counts) < 40:
        counts.append(counts[-1] + counts[-2])
    lengths = huffman.code_lengths(np.array(counts))
    assert lengths.max() <= huffman.LONGEST
    assert sum(2.0 ** -int(length) for length in lengths) == 1


@pytest.mark.parametrize("counts", [[], [0, 0], [7], [0, 7, 0]])
def test_a_text_of_one_symbol_needs_no_code(counts):
    with pytest.raises(ValueError, match="at least two symbols"):
        huffman.code_lengths(np.array(counts, dtype=int))


@pytest.mark.parametrize("lengths", [[1, 1, 1], [1, 2], [2, 2, 2], [0, 1], [0, 0], [21] * 4, [1, 0, 3, 3]])
def test_lengths_that_are_no_code_are_refused(lengths):
    with pytest.raises(FileError):
        huffman.canonical(np.array(lengths, np.uint8))


@given(st.binary(max_size=60), st.integers(0, 500), st.lists(st.integers(0, 20), min_size=1, max_size=8))
def test_any_bytes_decode_or_raise_file_error(data, count, lengths):
    try:
        text = huffman.decode(data, np.array(lengths, np.uint8), count)
    except FileError:
        return
    assert len(text) == count and set(text.tolist()) <= set(range(len(lengths)))


@given(histograms)
def test_the_table_of_lengths_comes_back_in_the_size_that_was_said(counts):
    lengths = huffman.code_lengths(np.trim_zeros(np.array(counts), "b"))
    table = symbols.write_table(lengths)
    assert len(table) == symbols.table_size(lengths)
    assert symbols.read_table(Bytes(table)).tolist() == lengths.tolist()


@settings(max_examples=300)
@given(st.binary(max_size=40), st.integers(1, 200))
def test_any_stream_of_symbols_decodes_or_raises_file_error(data, count):
    with contextlib.suppress(FileError):
        assert len(symbols.decode(Bytes(data), count)) == count
