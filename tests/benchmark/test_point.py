"""A point says all that is needed to run it again, and its key is the same everywhere and always."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.benchmark.point import Point, Step

POINT = Point("LeNet-5", "MNIST", "quantization.KMeans", 4)


def test_the_key_is_the_hash_of_what_is_not_as_usual():
    text = '{"data":"MNIST","method":"quantization.KMeans","network":"LeNet-5","value":4}'
    assert POINT.key == hashlib.sha256(text.encode()).hexdigest()[:16]
    kept = replace(POINT, seed=1, train={}, keep=(Step("pruning.Magnitude", 0.9),))
    text = (
        '{"data":"MNIST","keep":[{"method":"pruning.Magnitude","value":0.9}],'
        '"method":"quantization.KMeans","network":"LeNet-5","seed":1,"train":{},"value":4}'
    )
    assert kept.key == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_whole_numbers_are_the_same_however_they_are_written():
    assert Point("LeNet-5", "MNIST", "quantization.KMeans", 4.0).key == POINT.key
    assert type(Point("LeNet-5", "MNIST", "quantization.KMeans", 4.0).value) is int


def test_each_field_changes_the_key():
    other = dict(
        network="VGG",
        data="FashionMNIST",
        method="lowrank.SVD",
        value=5,
        variant="plain",
        arguments={"start": "linear"},
        where="fc1",
        seed=1,
        start="scratch",
        train={"epochs": 1},
        loss="square_hinge",
        keep=(Step("pruning.Magnitude", 0.9),),
    )
    keys = {replace(POINT, **{name: value}).key for name, value in other.items()}
    assert len(keys | {POINT.key}) == len(other) + 1


texts = st.text(max_size=20)
steps = st.builds(
    Step,
    texts,
    st.floats(-1e9, 1e9),
    st.dictionaries(texts, st.integers() | st.booleans() | texts),
    st.none() | texts,
    st.none() | st.dictionaries(texts, st.integers()),
)


@given(
    st.builds(
        Point,
        texts,
        texts,
        texts,
        st.floats(-1e9, 1e9) | st.integers(-(10**9), 10**9),
        where=st.none() | texts,
        seed=st.integers(0, 2**31),
        train=st.none() | st.dictionaries(texts, st.integers()),
        keep=st.lists(steps, max_size=2).map(tuple),
    )
)
def test_a_point_comes_back_from_its_record(point):
    again = Point.of(point.record())
    assert again == point and again.key == point.key


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network": None}, "a point has network = None"),
        ({"value": "4"}, "a point has value = '4'"),
        ({"value": True}, "a point has value = True"),
        ({"value": float("nan")}, "the value of the knob is nan"),
        ({"seed": 0.5}, "a point has seed = 0.5"),
        ({"network": "x" * 1000}, "a network of 1000 letters"),
        ({"keep": [{"method": "pruning.Magnitude"}]}, "a step of keep lacks value"),
        ({"keep": ["pruning.Magnitude"]}, "a step of keep is 'pruning.Magnitude'"),
        ({"__class__": "os"}, "the unknown key '__class__'"),
    ],
)
def test_a_record_from_elsewhere_is_checked(change, said):
    with pytest.raises(ValueError, match=said):
        Point.of(POINT.record() | change)
    with pytest.raises(ValueError, match="a point lacks data"):
        Point.of({name: value for name, value in POINT.record().items() if name != "data"})
    with pytest.raises(ValueError, match="a point is None"):
        Point.of(None)
