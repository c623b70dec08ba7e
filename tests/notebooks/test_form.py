"""What is committed is what the masters build, and a notebook is short enough for its hour."""

import json
import re

import nbformat
import pytest

from labkit.course import build, checks, exercises, master

MASTERS = build.masters(build.ROOT)
WORDS = 1300
CODE_LINES = 12


def test_committed_notebooks_are_what_their_masters_build():
    assert build.out_of_date(build.ROOT) == []


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_student_notebook_is_clean_and_short(path):
    text = build.student(build.ROOT, path).read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert "jupytext" not in text and "widgets" not in notebook.metadata
    assert not re.search("SOLUTION|HIDDEN", text)
    words = 0
    for cell in notebook.cells:
        assert cell.metadata == {} and cell.get("outputs", []) == [] and cell.get("execution_count") is None
        lines = cell.source.splitlines()
        if cell.cell_type == "code":
            assert len(lines) <= CODE_LINES, f"{cell.id} has {len(lines)} lines"
        else:
            words += len(cell.source.split())
    assert words <= WORDS and 10 <= len(notebook.cells) <= 32


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_no_line_of_an_answer_is_in_the_student_notebook(path):
    student = build.student(build.ROOT, path).read_text(encoding="utf-8")
    answers = []
    for cell in master.read(path):
        inside = False
        for line in cell.source.splitlines():
            if line.strip().startswith("### "):
                inside = "BEGIN" in line
            elif inside and line.strip():
                answers.append(json.dumps(line.strip())[1:-1])
    assert answers and not [line for line in answers if line in student]


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_every_check_and_hint_names_an_exercise(path):
    source = path.read_text(encoding="utf-8")
    for name in re.findall(r"(?:check|hint)\(\"(.*?)\"", source):
        assert checks.find(name).name == name


def test_every_exercise_is_in_a_notebook():
    sources = "".join(path.read_text(encoding="utf-8") for path in MASTERS)
    assert [name for name in exercises.EXERCISES if f'check("{name}"' not in sources] == []
