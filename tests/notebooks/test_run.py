"""Every notebook runs from top to bottom, as students get it and with its solutions.

Both forms run in one kernel, since they differ in the exercises alone: the stub and its check come first, then the
solution and its check. That proves the same as two runs, as long as no other cell needs an answer, which is tested.
"""

import ast
import itertools
import re

import nbclient
import nbformat
import pytest

from labkit.course import build, master

MASTERS = build.masters(build.ROOT)
CALLED = re.compile(r"^check\(", re.MULTILINE)


def pairs(path):
    """The cells of a notebook, each as the student has it and with the solution."""
    forms = [nbformat.reads(master.build(path, form), as_version=4).cells for form in ("student", "solution")]
    return list(zip(*forms, strict=True))


def both(path):
    """A notebook with each run of cells that differ twice: as the student has it, then with the solution."""
    cells = []
    for differs, group in itertools.groupby(pairs(path), lambda pair: pair[0].source != pair[1].source):
        stubs, solutions = zip(*group, strict=True)
        cells += [*stubs, *solutions] if differs else stubs
    notebook = nbformat.v4.new_notebook(metadata=master.METADATA)
    notebook.cells = [nbformat.v4.new_code_cell(cell.source) for cell in cells if cell.cell_type == "code"]
    return notebook


def said(notebook):
    """What the checks of a notebook say, in words."""
    answers = []
    for cell in notebook.cells:
        if CALLED.search(cell.source):
            answers += [output.data["text/plain"] for output in cell.outputs if "data" in output]
    return answers


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(build.ROOT))
    notebook = both(path)
    nbclient.NotebookClient(
        notebook, timeout=300, store_widget_state=False, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    answers = said(notebook)
    assert len(answers) >= 2 and len(answers) % 2 == 0
    for stub, solution in zip(answers[::2], answers[1::2], strict=True):
        assert "Not attempted." in stub and "Right." in solution
    assert list(tmp_path.iterdir()) == []  # a notebook leaves nothing behind


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_no_cell_but_the_check_needs_an_answer(path):
    code = [pair for pair in pairs(path) if pair[0].cell_type == "code"]
    exercises = [solution.source for stub, solution in code if "raise NotImplementedError" in stub.source]
    answers = {node.name for source in exercises for node in ast.parse(source).body if hasattr(node, "name")}
    assert answers
    for stub, solution in code:
        if stub.source == solution.source:
            used = {node.id for node in ast.walk(ast.parse(stub.source)) if isinstance(node, ast.Name)}
            assert not used & answers
