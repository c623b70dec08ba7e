"""Every notebook runs from top to bottom, as students get it and with its solutions."""

import re

import nbclient
import nbformat
import pytest

from labkit.course import build, master

MASTERS = build.masters(build.ROOT)
CALLED = re.compile(r"^check\(", re.MULTILINE)


def run(path, form, tmp_path):
    """Execute one form in an empty folder; a cell that raises fails the test."""
    notebook = nbformat.reads(master.build(path, form), as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=300, store_widget_state=False, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    return notebook


def said(notebook):
    """What the checks of a notebook say, in words."""
    answers = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and CALLED.search(cell.source):
            answers += [output.data["text/plain"] for output in cell.outputs if "data" in output]
    return answers


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
@pytest.mark.parametrize(("form", "answer"), [("student", "Not attempted."), ("solution", "Right.")])
def test_notebook_runs(path, form, answer, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(build.ROOT))
    notebook = run(path, form, tmp_path)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    answers = said(notebook)
    assert answers and all(answer in text for text in answers), answers
    assert list(tmp_path.iterdir()) == []  # a notebook leaves nothing behind
