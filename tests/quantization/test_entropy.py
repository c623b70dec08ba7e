"""The entropy-constrained codebook: what its knob promises, in files that are really written."""

import bisect
import os

import numpy as np
import pytest
import torch

import labkit
from labkit import data, zoo
from labkit.codes import code_table
from labkit.layers import layers
from labkit.lowrank import SVD
from labkit.methods import Knob
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.quantization.ecsq import CLOSE
from labkit.quantization.entropy import EntropyConstrained
from labkit.quantization.hessian import HessianKMeans
from labkit.storage.huffman import entropy

KNOB = EntropyConstrained.knob.values


@pytest.fixture(scope="module")
def lenet():
    return zoo.load("LeNet-300-100", "MNIST")


@pytest.fixture(scope="module")
def pictures():
    return data.load("MNIST")


@pytest.fixture(scope="module")
def curve(lenet, pictures):
    return EntropyConstrained().prepare(lenet, pictures)


@pytest.mark.parametrize("bits", KNOB)
def test_the_codes_have_the_entropy_that_the_knob_says(curve, bits):
    model = curve.at(bits)
    codes = torch.cat([layer.weight.codes.flatten() for layer in layers(model).values()])
    assert abs(entropy(np.bincount(codes.numpy())) - bits) <= CLOSE
    assert len(codes.unique()) == len(model.fc1.weight.centroids())


def test_more_bits_less_error_and_a_longer_file(curve):
    errors, sizes = zip(*((curve.error(bits), labkit.size(curve.at(bits)).total) for bits in KNOB), strict=True)
    assert list(errors) == sorted(errors, reverse=True) and list(sizes) == sorted(sizes)


def test_the_file_is_little_longer_than_the_knob_says(curve, tmp_path):
    """Each layer's own Huffman code is at most 1 bit above its entropy, and far less where codes are long."""
    for bits, above in [(1, 0.4), (2, 0.1), (4, 0.1)]:
        model = curve.at(bits)
        labkit.save(model, tmp_path / "small.safetensors")
        total = os.path.getsize(tmp_path / "small.safetensors")
        assert labkit.size(model).total == total
        rest = 4 * (len(model.fc1.weight.centroids()) + 410)  # values and biases
        assert 8 * (total - rest) / 266_200 < bits + above
        loaded = labkit.load(tmp_path / "small.safetensors")
        assert loaded.fc1.weight.centroids is loaded.fc2.weight.centroids
        assert torch.equal(loaded.fc2.weight(), model.fc2.weight())


@pytest.fixture(scope="module")
def fine(lenet, pictures):
    method = EntropyConstrained()
    method.knob = Knob("bits", "code length", tuple(round(0.5 + 0.1 * step, 1) for step in range(40)), 2)
    return method.prepare(lenet, pictures)


@pytest.mark.parametrize("bits", [2, 3, 4, 5])
def test_in_a_file_as_small_it_has_a_smaller_error_than_hessian_weighted_clusters(fine, lenet, pictures, bits):
    clusters = HessianKMeans().prepare(lenet, pictures)
    assert np.array_equal(clusters.pool.h, fine.pool.h)
    size = labkit.size(clusters.at(bits)).total
    values = fine.knob.values
    best = values[bisect.bisect_right(values, size, key=lambda value: labkit.size(fine.at(value)).total) - 1]
    assert labkit.size(fine.at(best)).total <= size
    assert fine.error(best) < 0.7 * clusters.error(bits)


def test_one_layer_gets_a_codebook_of_its_own_and_a_tick_does_not_search_again(lenet, pictures, monkeypatch):
    curve = EntropyConstrained().prepare(lenet, pictures, where="fc2")
    model = curve.at(2)
    assert [type(layer.weight).__name__ for layer in layers(model).values()] == ["Dense", "Codebook", "Dense"]
    assert abs(code_table(model.fc2.weight).entropy - 2) <= CLOSE
    monkeypatch.setattr(curve, "find", None)
    assert torch.equal(curve.at(2).fc2.weight(), model.fc2.weight())
    assert "fc2" in curve.picture(2, "fc2").text


@pytest.mark.parametrize("before", [SVD, Magnitude, KMeans])
def test_it_composes_with_what_was_done_before(before, lenet, pictures, tmp_path):
    first = before().prepare(lenet)
    model = first.at(first.knob.values[len(first.knob.values) // 2])
    small = EntropyConstrained().prepare(model, pictures).at(2)
    labkit.save(small, tmp_path / "small.safetensors")
    assert labkit.size(small).total == os.path.getsize(tmp_path / "small.safetensors") < labkit.size(model).total
    images = torch.randn(2, 1, 28, 28)
    assert torch.equal(labkit.load(tmp_path / "small.safetensors")(images), small.eval()(images))


def test_what_a_learner_may_get_wrong(lenet, curve):
    with pytest.raises(ValueError, match="EntropyConstrained measures the curvature on pictures: give it data"):
        EntropyConstrained().prepare(lenet)
    with pytest.raises(ValueError, match="must be one of 0.5, 1, 1.5"):
        curve.at(0)
