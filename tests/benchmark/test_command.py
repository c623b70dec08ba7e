"""`labkit sweep` hands its words on, and says in one sentence what is wrong."""

from __future__ import annotations

import pytest

from labkit import __main__ as labkit
from labkit.benchmark import command
from labkit.benchmark.sweep import Summary


@pytest.fixture
def calls(monkeypatch, tmp_path):
    calls = []

    def sweep(*arguments):
        calls.append(arguments)
        return Summary(arguments[0], len(arguments[1]), 0, tmp_path / "x.jsonl")

    monkeypatch.setattr(command, "sweep", sweep)
    monkeypatch.setattr(command.results, "RESULTS", tmp_path)
    return calls


def test_the_command_hands_its_words_on(calls, tmp_path, capsys):
    words = ["sweep", "quantization", "--workers", "3", "--scheduler", "tcp://127.0.0.1:8786", "--retry"]
    assert labkit.main(words) == 0
    ((name, points, *rest),) = calls
    assert name == "quantization" and rest == [3, "tcp://127.0.0.1:8786", True, tmp_path]
    assert {point.network for point in points} >= {"LeNet-300-100", "LeNet-5"}
    assert capsys.readouterr().out == f"quantization: {len(points)} points, 0 failed, in {tmp_path / 'x.jsonl'}\n"


def test_failed_points_show_in_the_exit_status(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "sweep", lambda *arguments: Summary("x", 2, 1, tmp_path))
    assert labkit.main(["sweep", "quantization"]) == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("no scheduler answers"), "labkit: no scheduler answers"),
        (KeyboardInterrupt(), "labkit: stopped; the same command goes on where it was"),
    ],
)
def test_no_traceback_reaches_the_learner(error, said, monkeypatch, capsys):
    def sweep(*arguments):
        raise error

    monkeypatch.setattr(command, "sweep", sweep)
    assert labkit.main(["sweep", "quantization"]) == 1
    assert capsys.readouterr().err.strip() == said


def test_a_spec_that_is_not_there_is_one_sentence(calls, capsys):
    assert labkit.main(["sweep", "nothing"]) == 1
    assert capsys.readouterr().err.startswith("labkit: ") and calls == []


def test_a_typo_is_refused(calls, capsys):
    for wrong in (["sweep"], ["sweep", "quantization", "--worker"], ["sweep", "quantization", "--workers", "many"]):
        with pytest.raises(SystemExit) as stop:
            labkit.main(wrong)
        assert stop.value.code == 2
    assert calls == []
