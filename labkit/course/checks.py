"""Checks of exercises: a learner's object goes in, one of four answers comes out.

    right    not yet    not attempted    your code raised

A check is a function with `@exercise` above it, in the notebook's file in `labkit/course/exercises`.
It calls the learner's function, raises `NotYet` with one sentence that says what is missing, or
returns one sentence that says what was learnt. Nothing else needs to be thought of: an exception
in the learner's code, a stub left as it is and a loop without end are answered here.
"""

from __future__ import annotations

import html
import importlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from labkit.course.limits import within

SECONDS = 20  # that one call of a learner's function may take
SIGNS = {"right": "✓", "not yet": "✗", "not attempted": "○", "your code raised": "!"}
COLOURS = {"right": "#0072B2", "not yet": "#E69F00", "not attempted": "#7A8594", "your code raised": "#D55E00"}


class NotYet(Exception):
    """The answer is not right yet; the message says in one sentence what is missing."""


class _NotAttempted(Exception):
    """The stub is still there."""


class _Raised(Exception):
    """The learner's code raised what `__cause__` says."""


@dataclass(frozen=True)
class Exercise:
    """One exercise: its name, how it is judged, and hints from vague to concrete."""

    name: str
    judge: Callable[..., str]
    hints: tuple[str, ...]


def exercise(name: str, *hints: str) -> Callable[[Callable[..., str]], Exercise]:
    """Turn a judging function into an Exercise; see the module's text."""
    if len(hints) < 2:
        raise ValueError(f"exercise {name!r} has {len(hints)} hints, but needs at least two, from vague to concrete")
    return lambda judge: Exercise(name, judge, hints)


class _Shown:
    """Something with a sign, a heading and a sentence: a card in Jupyter, a line elsewhere."""

    sign: str
    heading: str
    message: str
    colour: str

    def __repr__(self) -> str:
        return f"{self.sign} {self.heading[:1].upper()}{self.heading[1:]}. {self.message}"

    def _repr_html_(self) -> str:
        heading = f"{self.sign} {self.heading[:1].upper()}{self.heading[1:]}."
        return (
            f'<div role="status" class="labkit-answer" style="border-left:6px solid {self.colour};padding:6px 12px;'
            'color:var(--jp-content-font-color1,inherit);font-family:var(--jp-content-font-family,sans-serif)">'
            f'<b>{html.escape(heading)}</b> <span style="white-space:pre-wrap">{html.escape(self.message)}</span></div>'
        )


class Answer(_Shown):
    """What a check says; true where it says "right"."""

    def __init__(self, about: Exercise, kind: str, message: str):
        self.about, self.kind, self.message = about, kind, message
        self.sign, self.heading, self.colour = SIGNS[kind], kind, COLOURS[kind]

    def __bool__(self) -> bool:
        return self.kind == "right"

    def hint(self) -> Hint:
        """Return the next hint, more concrete than the one before."""
        return hint(self.about.name)


class Hint(_Shown):
    """One hint of several."""

    sign, colour = "→", "#7A8594"

    def __init__(self, number: int, of: int, message: str):
        self.heading, self.message = f"hint {number} of {of}", message


_asked: dict[str, int] = {}


def find(name: str) -> Exercise:
    """Return an exercise by its name, or raise ValueError with the names that there are."""
    known = importlib.import_module("labkit.course.exercises").EXERCISES
    if name not in known:
        raise ValueError(f"exercise {name!r} does not exist: choose one of {', '.join(known)}")
    return known[name]


def check(name: str, *answers: object) -> Answer:
    """Judge an answer to the exercise of this name.

    Raises nothing but ValueError for a name that does not exist.

    >>> def mask(weight, sparsity):
    ...     raise NotImplementedError
    >>> check("magnitude mask", mask)
    ○ Not attempted. Replace the line `raise NotImplementedError` by your answer, and run both cells again.
    """
    about = find(name)
    try:
        if any(answer is ... for answer in answers):
            raise _NotAttempted
        return Answer(about, "right", about.judge(*map(_guarded, answers)))
    except _NotAttempted:
        message = "Replace the line `raise NotImplementedError` by your answer, and run both cells again."
        return Answer(about, "not attempted", message)
    except _Raised as raised:
        return Answer(about, "your code raised", _describe(raised.__cause__))
    except NotYet as missing:
        message = str(missing)
    except Exception as error:  # the answer is of a kind that not even the check foresaw
        message = f"Your answer is of a kind that cannot be used here ({type(error).__name__}: {error})."
    return Answer(about, "not yet", f'{message} For a hint: hint("{name}")')


def hint(name: str) -> Hint:
    """Return a hint; asked again, a more concrete one, until the last."""
    hints = find(name).hints
    number = min(_asked.get(name, 0) + 1, len(hints))
    _asked[name] = number
    return Hint(number, len(hints), hints[number - 1])


def _guarded(answer: object) -> object:
    """Wrap a learner's function: what goes wrong inside it is told from what goes wrong in a check."""
    if not callable(answer) or isinstance(answer, nn.Module):
        return answer

    def call(*arguments, **keywords):
        try:
            return within(SECONDS, lambda: answer(*arguments, **keywords))
        except (Exception, SystemExit) as error:
            if isinstance(error, NotImplementedError) and not error.args:  # PyTorch's own say what is not implemented
                raise _NotAttempted from None
            raise _Raised from error

    return call


def _describe(error: BaseException) -> str:
    """Say what was raised, and in which line of the learner's own code."""
    mine = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_HERE)]
    where = f' in the line "{mine[0].line}"' if mine and mine[0].line else ""
    return f"{type(error).__name__}{where}: {error}"


_HERE = __file__.removesuffix("checks.py")
