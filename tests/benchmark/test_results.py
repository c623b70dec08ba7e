"""What is written comes back, what comes from a stranger is checked, and the panel's lines are the means of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from labkit.benchmark import results
from labkit.benchmark.point import Point, Step
from labkit.benchmark.results import Entry
from tests.benchmark.workers import FOUND

POINT = Point("LeNet-5", "MNIST", "quantization.KMeans", 4)


def entry(bytes: int = 100, right: int = 9, **change) -> Entry:
    found = FOUND | {"bytes": bytes, "accuracy": {"validation": [right, 10], "test": [right - 1, 10]}}
    return Entry(replace(POINT, **change), found, None, {"torch": "2"}, {"threads": 1}, "2026-01-01T00:00:00+00:00")


def failed(**change) -> Entry:
    return Entry(replace(POINT, **change), error={"type": "ValueError", "sentence": "no"})


def test_what_is_written_comes_back(tmp_path):
    wanted = [entry(), failed(value=40), entry(seed=1, keep=(Step("pruning.Magnitude", 0.9),), train={"epochs": 2})]
    for one in wanted:
        results.append("tiny", one, tmp_path)
    assert results.read("tiny", tmp_path) == wanted
    assert results.read("other", tmp_path) == []


def test_a_large_sweep_goes_on_in_further_files(tmp_path, monkeypatch):
    """A file is full while it can still be read; nothing is lost or doubled, and the last result of a point counts."""
    monkeypatch.setattr(results, "FULL_BYTES", 1_500)
    wanted = [entry(value=value) for value in range(20)]
    for one in wanted:
        results.append("large", one, tmp_path)
    found = results.files("large", tmp_path)
    assert [path.name for path in found[:3]] == ["large.jsonl", "large.2.jsonl", "large.3.jsonl"]
    assert sorted(tmp_path.iterdir()) == sorted(found) and all(path.stat().st_size < 2_500 for path in found)
    assert results.read("large", tmp_path) == wanted
    assert sorted(one.point.value for one in results.every(tmp_path)) == list(range(20))
    results.append("large", entry(right=5, value=0), tmp_path)
    assert {one.point.value: one for one in results.read("large", tmp_path)}[0].result["accuracy"]["test"] == [4, 10]


def test_a_torn_line_in_a_further_file_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FULL_BYTES", 1)
    for value in (1, 2):
        results.append("large", entry(value=value), tmp_path)
    last = results.files("large", tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:-20])
    assert [one.point.value for one in results.read("large", tmp_path)] == [1]
    results.append("large", entry(value=3), tmp_path)
    assert [one.point.value for one in results.read("large", tmp_path)] == [1, 3]


def test_a_failed_point_is_finished_until_it_is_tried_again(tmp_path):
    for one in (entry(), failed(value=8)):
        results.append("tiny", one, tmp_path)
    keys = entry().point.key, failed(value=8).point.key
    assert results.finished("tiny", tmp_path) == set(keys)
    assert results.finished("tiny", tmp_path, retry=True) == {keys[0]}
    results.append("tiny", entry(value=8), tmp_path)
    assert results.finished("tiny", tmp_path, retry=True) == set(keys)
    assert [one.error for one in results.read("tiny", tmp_path)] == [None, None]


RECORD = {"key": POINT.key, "point": POINT.record(), "result": FOUND}


@pytest.mark.parametrize(
    "change",
    [
        {"key": "0" * 16},
        {"key": None},
        {"point": POINT.record() | {"value": 5}},
        {"point": POINT.record() | {"value": 10**400}},
        {"point": ["LeNet-5"]},
        {"result": None},
        {"error": {"type": "x", "sentence": "y"}},
        {"result": ["x"]},
        {"result": FOUND | {"bytes": -1}},
        {"result": FOUND | {"bytes": 10**400}},
        {"result": FOUND | {"bytes": True}},
        {"result": FOUND | {"accuracy": {"validation": [11, 10], "test": [1, 10]}}},
        {"result": FOUND | {"accuracy": {"validation": [0.5, 10], "test": [1, 10]}}},
        {"result": FOUND | {"accuracy": {"validation": [9, 10]}}},
        {"result": FOUND | {"accuracy": {"validation": [9, 10, 11], "test": [1, 10]}}},
        {"machine": "mine"},
        {"run": "rm -rf"},
    ],
    ids=repr,
)
def test_a_record_from_a_stranger_is_checked(change, tmp_path):
    path = tmp_path / "bad.jsonl"
    good = entry(value=2)
    results.append("bad", good, tmp_path)
    path.write_text(path.read_text() + json.dumps(RECORD | change) + "\n")
    with pytest.raises(ValueError, match=r"bad.jsonl, line 2, is damaged \(.*: delete the line"):
        results.read("bad", tmp_path)
    with pytest.raises(ValueError, match="line 2"):
        results.curves("LeNet-5", "MNIST", folder=tmp_path)


def test_a_point_nested_too_deeply_is_refused(tmp_path):
    text = json.dumps(RECORD).replace('"value": 4', '"value": 4, "arguments": {"x": ' + "[" * 5000 + "]" * 5000 + "}")
    (tmp_path / "deep.jsonl").write_text(text + "\n")
    with pytest.raises(ValueError, match="line 1, is damaged"):
        results.read("deep", tmp_path)


def test_curves_are_means_over_seeds_in_the_order_of_the_knob(tmp_path):
    entries = [
        entry(100, 9, value=8),
        entry(80, 6, value=4),
        entry(90, 8, value=4, seed=1),
        entry(70, 7, value=4, seed=2),
    ]
    entries += [failed(value=2), entry(data="FashionMNIST"), entry(variant="plain"), entry(network="VGG")]
    for one in entries:
        results.append("one", one, tmp_path)
    results.append("two", entries[0], tmp_path)  # the same point in another sweep counts once
    (series,) = results.curves("LeNet-5", "MNIST", folder=tmp_path)
    assert (series.title, series.trained, series.split, series.where) == ("k-means codebook", False, "validation", None)
    four, eight = series.marks
    assert (four.value, four.bytes, four.low, four.high, four.seeds) == (4, 80, 0.6, 0.8, 3)
    assert four.accuracy == pytest.approx(0.7)
    assert (eight.value, eight.bytes, eight.accuracy, eight.seeds) == (8, 100, 0.9, 1)
    (tested,) = results.curves("LeNet-5", "MNIST", split="test", folder=tmp_path)
    assert tested.split == "test" and tested.marks[1].accuracy == 0.8
    (plain,) = results.curves("LeNet-5", "MNIST", "plain", folder=tmp_path)
    assert len(plain.marks) == 1


def test_each_setting_is_a_series_of_its_own(tmp_path):
    changes = [
        {},
        {"arguments": {"start": "linear"}},
        {"train": {}},
        {"train": {"epochs": 2}},
        {"where": "fc1"},
        {"keep": (Step("pruning.Magnitude", 0.9),)},
        {"keep": (Step("pruning.Magnitude", 0.8),)},
        {"method": "quantization.Forgotten"},
    ]
    for change in changes:
        results.append("many", entry(**change), tmp_path)
    found = results.curves("LeNet-5", "MNIST", folder=tmp_path)
    assert len(found) == len(changes)
    assert [series.trained for series in found].count(True) == 2
    assert found[-1].title == "quantization.Forgotten", "a method that is gone shows its name"


def test_curves_are_read_anew_only_when_a_file_changes(tmp_path, monkeypatch):
    results.append("one", entry(), tmp_path)
    before = results.curves("LeNet-5", "MNIST", folder=tmp_path)
    with monkeypatch.context() as context:
        context.setattr(results.lines, "read", lambda path: pytest.fail("the file was read again"))
        assert results.curves("LeNet-5", "MNIST", folder=tmp_path) == before
    results.append("one", entry(value=2), tmp_path)
    assert len(results.curves("LeNet-5", "MNIST", folder=tmp_path)[0].marks) == 2


def test_no_results_are_no_curves(tmp_path):
    assert results.curves("LeNet-5", "MNIST", folder=tmp_path / "none") == []
    with pytest.raises(ValueError, match="split is 'train'"):
        results.curves("LeNet-5", "MNIST", split="train", folder=tmp_path)


@pytest.mark.parametrize("path", sorted(results.RESULTS.glob("*.jsonl")), ids=lambda path: path.stem)
def test_the_shipped_results_are_sound(path):
    found = results.read(path.stem)
    assert found and all(one.error is None and one.when and one.machine["processor"] for one in found)
