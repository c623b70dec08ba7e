"""The four answers of a check, whatever a learner hands in."""

import contextlib
import subprocess
import sys
import time

import pytest
import torch

from labkit.course import checks, exercises
from labkit.course.checks import NotYet, check, exercise, hint
from labkit.course.limits import within


@exercise("double", "Twice.", "Add it to itself.", "return 2 * x")
def double(function):
    if function(3) != 6:
        raise NotYet("double(3) must be 6.")
    return "Twice as much."


@pytest.fixture(autouse=True)
def only_double(monkeypatch):
    monkeypatch.setattr(exercises, "EXERCISES", {"double": double})
    monkeypatch.setattr(checks, "_asked", {})


def stub(x):
    raise NotImplementedError


def endless(x):
    while True:
        try:  # noqa: SIM105 - a learner may write this
            x += 1
        except:  # noqa: E722
            pass


@pytest.mark.parametrize(
    ("answer", "kind", "word"),
    [
        (lambda x: 2 * x, "right", "Twice"),
        (lambda x: x + 1, "not yet", "must be 6"),
        (lambda x: None, "not yet", "must be 6"),
        (lambda x: float("nan"), "not yet", "must be 6"),
        (lambda x: torch.zeros(2, 3), "not yet", "kind"),  # its truth is ambiguous: the check did not foresee it
        (stub, "not attempted", "Replace"),
        (..., "not attempted", "Replace"),
        (7, "not yet", "kind"),
        (None, "not yet", "kind"),
        (lambda x: x / 0, "your code raised", "ZeroDivisionError"),
        (lambda x, y: x, "your code raised", "TypeError"),
        (lambda x: torch.zeros(2) @ torch.zeros(3), "your code raised", "RuntimeError"),
        (lambda x: (_ for _ in ()).throw(NotImplementedError("no such kernel")), "your code raised", "no such kernel"),
        (lambda x: exit(1), "your code raised", "SystemExit"),
    ],
)
def test_one_of_four_answers_in_words(answer, kind, word):
    said = check("double", answer)
    assert said.kind == kind and bool(said) == (kind == "right")
    assert word in said.message
    assert kind in repr(said).lower() and kind in said._repr_html_().lower()  # in words, not by colour alone


def test_each_answer_has_a_sign_of_its_own():
    assert len(set(checks.SIGNS.values())) == 4 and checks.SIGNS.keys() == checks.COLOURS.keys()


def test_an_endless_loop_is_stopped_and_said(monkeypatch):
    monkeypatch.setattr(checks, "SECONDS", 0.2)
    said = check("double", endless)
    assert said.kind == "your code raised" and "end" in said.message


def test_recursion_without_end_is_said():
    def again(x):
        return again(x)

    assert check("double", again).kind == "your code raised"


def test_what_a_learner_wrote_is_shown_as_text():
    def shout(x):
        raise ValueError("<script>alert(1)</script>")

    assert "<script>" not in check("double", shout)._repr_html_()


def test_the_line_of_the_learners_code_is_named():
    def wrong(x):
        return [][x]  # this one

    assert "return [][x]" in check("double", wrong).message


def test_an_unknown_exercise_names_the_known_ones():
    with pytest.raises(ValueError, match="choose one of double"):
        check("triple", stub)


def test_hints_grow_and_the_last_one_stays():
    said = check("double", stub)
    assert [hint("double").message, said.hint().message, hint("double").message, hint("double").message] == [
        "Twice.",
        "Add it to itself.",
        "return 2 * x",
        "return 2 * x",
    ]
    assert "hint 3 of 3" in repr(hint("double")).lower()


def test_an_exercise_without_hints_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        exercise("lonely", "only one")


def test_within_returns_what_the_function_returns_and_leaves_nothing_behind():
    assert within(5, lambda: 42) == 42
    with pytest.raises(KeyError):
        within(5, lambda: {}["x"])
    for _ in range(20):  # ends about when the limit does: nothing may be raised later
        with contextlib.suppress(TimeoutError):
            within(0.01, lambda: time.sleep(0.01))
    assert sum(range(100_000)) == 4999950000


TRACED = """
import sys
from labkit.course.limits import within

def endless():
    while True:
        pass

within(5, lambda: 6 * 7)
try:
    within(0.2, endless)
except TimeoutError:
    print("stopped")
sys.settrace(lambda *event: None)
print(max([3, 1, 2], key=lambda number: number))
"""


def test_a_debugger_can_trace_after_a_check():
    done = subprocess.run([sys.executable, "-c", TRACED], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["stopped", "3"], done.stderr
