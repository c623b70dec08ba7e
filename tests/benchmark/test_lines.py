"""A file of results survives a kill at any byte, and a hostile one is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.benchmark import lines

RECORDS = [{"n": 1}, {"n": 2, "text": "naïve\nline"}, {"n": 3}]


def records(path):
    return [record for _, record in lines.read(path)]


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_kill_at_any_byte_loses_only_the_line_under_way(tmp_path, data):
    path = tmp_path / "torn.jsonl"
    path.unlink(missing_ok=True)
    for record in RECORDS:
        lines.append(path, record)
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    whole = RECORDS[: content[:cut].count(b"\n")]
    assert records(path) == whole
    lines.append(path, {"n": 4})
    assert records(path) == [*whole, {"n": 4}]
    assert path.read_bytes().startswith(content[: content[:cut].rfind(b"\n") + 1])


def test_no_file_has_no_lines(tmp_path):
    assert records(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[1]",
        b"",
        b"\xff\xfe",
        b'{"x": NaN}',
        b'{"x": -Infinity}',
        b"[" * 60_000,
        b'{"x": ' + b"9" * 10_000 + b"}",
        b'{"x": "' + b"a" * lines.MOST_LINE + b'"}',
    ],
    ids=["half", "list", "empty", "bytes", "nan", "infinity", "deep", "digits", "long"],
)
def test_a_damaged_line_is_named(line, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"n": 1}\n' + line + b"\n" + b'{"n": 3}\n')
    with pytest.raises(ValueError, match=r"bad.jsonl, line 2, is damaged \(.*: delete the line"):
        records(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "large.jsonl"
    with open(path, "wb") as file:
        file.truncate(lines.MOST_BYTES + 1)  # a hole: it takes no room on the disk
    monkeypatch.setattr(type(path), "read_bytes", lambda path: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="larger than 64 MiB"):
        records(path)


def test_a_last_line_without_end_is_left_to_its_owner(tmp_path):
    path = tmp_path / "endless.jsonl"
    path.write_bytes(b"x" * (lines.MOST_LINE + 10))
    with pytest.raises(ValueError, match="ends in a line of more than"):
        lines.append(path, {"n": 1})
    assert path.stat().st_size == lines.MOST_LINE + 10


def test_what_cannot_be_read_is_not_written(tmp_path):
    path = tmp_path / "new.jsonl"
    for record in ({"x": "a" * lines.MOST_LINE}, {"x": float("nan")}):
        with pytest.raises(ValueError):
            lines.append(path, record)
    assert not path.exists()
    longest = {"x": "a" * (lines.MOST_LINE - 1 - len(json.dumps({"x": ""})))}
    lines.append(path, longest)
    assert records(path) == [longest]


@pytest.mark.skipif(lines.fcntl is None, reason="there are no such locks here")
def test_two_sweeps_do_not_write_one_file(tmp_path):
    path = tmp_path / "one.jsonl"
    with lines.alone(path):
        with pytest.raises(ValueError, match="another sweep is writing"), lines.alone(path):
            pass
        lines.append(path, {"n": 1})
    with lines.alone(path):
        lines.append(path, {"n": 2})
    assert records(path) == [{"n": 1}, {"n": 2}]


def test_a_sweep_that_wrote_nothing_leaves_no_file(tmp_path):
    path = tmp_path / "nothing.jsonl"
    with pytest.raises(RuntimeError), lines.alone(path):
        raise RuntimeError
    assert not path.exists()
