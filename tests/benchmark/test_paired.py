"""Two networks on the same pictures, against scipy and against the accuracy of the lab."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from labkit import data, zoo
from labkit.benchmark import paired
from labkit.measure import accuracy


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(one, other):
    expected = binomtest(one, one + other).pvalue if one + other else 1.0
    assert paired.mcnemar(one, other) == pytest.approx(expected)
    assert paired.mcnemar(one, other) == paired.mcnemar(other, one)


def test_counts_fit_each_other_and_the_accuracy():
    images = data.load("MNIST")
    one, other = zoo.load("LeNet-300-100", "MNIST"), zoo.load("LeNet-300-100", "MNIST", "plain")
    found = paired.compare(one, other, images, "validation")
    assert found["right"] == accuracy(one, images).right and found["other_right"] == accuracy(other, images).right
    assert found["right"] - found["other_right"] == found["only_right"] - found["only_other_right"] > 0
    assert found["images"] == 5000
