"""The three notebooks in a master: no answer may reach a student."""

import json

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.course import build, master

TEXT = '''# %% [markdown] name="title"
# # A title
#
# Some text.

# %% name="add"
def add(a, b):
    """Add."""
    ### BEGIN SOLUTION
    secret = a + b
    return secret
    ### END SOLUTION

# %% name="check-add" points=2
### BEGIN HIDDEN TESTS
assert add(1, 2) == 3
### END HIDDEN TESTS
print("seen by all")

# %%
x = 1
'''


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "notebooks" / "source").mkdir(parents=True)
    (tmp_path / "notebooks" / "source" / "00_a.py").write_text(TEXT)
    return tmp_path


def cells(lab, form):
    notebook = json.loads(master.build(lab / "notebooks" / "source" / "00_a.py", form))
    nbformat.validate(notebook)
    return {cell["id"]: cell | {"source": "".join(cell["source"])} for cell in notebook["cells"]}, notebook["metadata"]


def test_student_gets_stub_and_no_answer(lab):
    built, metadata = cells(lab, "student")
    assert "secret" not in str(built) and "assert" not in str(built) and "###" not in str(built)
    assert built["add"]["source"].endswith('    """Add."""\n    # your code here\n    raise NotImplementedError')
    assert built["check-add"]["source"] == 'print("seen by all")'
    assert set(metadata) == {"kernelspec", "language_info"}  # no pairing, no widgets
    assert all(cell["metadata"] == {} and cell.get("outputs", []) == [] for cell in built.values())


def test_solution_runs_and_has_no_marks(lab):
    built, _ = cells(lab, "solution")
    space = {}
    for cell in built.values():
        assert "###" not in cell["source"]
        if cell["cell_type"] == "code":
            exec(cell["source"], space)
    assert space["add"](1, 2) == 3


def test_nbgrader_source_is_what_nbgrader_reads(lab):
    built, _ = cells(lab, "nbgrader")
    solution, test = built["add"]["metadata"]["nbgrader"], built["check-add"]["metadata"]["nbgrader"]
    assert (solution["solution"], solution["grade"], solution["locked"]) == (True, False, False)
    assert (test["solution"], test["grade"], test["locked"], test["points"]) == (False, True, True, 2)
    assert {solution["schema_version"], test["schema_version"]} == {3} and test["grade_id"] == "check-add"
    assert "### BEGIN SOLUTION" in built["add"]["source"] and "### BEGIN HIDDEN TESTS" in built["check-add"]["source"]
    assert built["title"]["metadata"] == {}


def test_ids_stay_when_cells_are_added(lab):
    before = set(cells(lab, "student")[0])
    path = lab / "notebooks" / "source" / "00_a.py"
    path.write_text(TEXT.replace("# %% name=", '# %% [markdown] name="more"\n# More.\n\n# %% name=', 1))
    assert before - set(cells(lab, "student")[0]) == {"cell-03"}  # the one without a name


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    ### END SOLUTION\n", "", "must close"),
        ("    ### BEGIN SOLUTION", "    ## BEGIN SOLUTION", "must close"),
        ("    ### END SOLUTION", "    ### END  SOLUTION", "must close"),
        ("    ### BEGIN SOLUTION", "    # begin of the solution", "must close"),
        ("    ### END SOLUTION", "    ### END HIDDEN TESTS", "must close"),
        ("### END HIDDEN TESTS", "### BEGIN HIDDEN TESTS", "must close"),
        ('name="add"', 'name="title"', "name of its own"),
        ('name="add"', 'name="a d"', "name of its own"),
        ("# Some text.", "# ### BEGIN SOLUTION\n# ### END SOLUTION", "belong in a code cell"),
        ("x = 1", "### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "body of a function"),
        ("x = 1", "# %% points=1\nx = 1", "has points"),
    ],
)
def test_a_master_that_would_leak_is_refused(lab, old, new, message):
    path = lab / "notebooks" / "source" / "00_a.py"
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(master.MasterError, match=message):
        master.build(path, "student")


LINES = st.lists(st.sampled_from(["a = 1", "    b = 2", "", "# c", "    ### mark"]), max_size=6).map("\n".join)


@settings(deadline=None)
@given(LINES, LINES, LINES)
def test_only_the_region_is_replaced(before, inside, after):
    marked = f"{before}\n    ### BEGIN SOLUTION\n{inside}\n    ### END SOLUTION\n{after}"
    expected = f"{before}\n    stub\n{after}"
    assert master._replace(marked, "SOLUTION", ("stub",)).rstrip("\n") == expected.rstrip("\n")


def test_build_writes_everything_and_check_then_passes(lab, capsys):
    assert build.main(["--root", str(lab)]) == 0
    assert build.main(["--root", str(lab), "--check"]) == 0
    for path in ("notebooks/00_a.ipynb", "build/solution/00_a.ipynb", "build/nbgrader/source/00_a/00_a.ipynb"):
        nbformat.read(lab / path, as_version=4)
    page = (lab / "build" / "site" / "00_a.html").read_text()
    assert "A title" in page and "secret" not in page
    index = (lab / "build" / "site" / "index.html").read_text()
    assert '<a href="00_a.html">A title</a>' in index and "<svg" in index


def test_check_names_the_file_and_what_to_run(lab, capsys):
    assert build.main(["--root", str(lab), "--no-site"]) == 0
    notebook = lab / "notebooks" / "00_a.ipynb"
    notebook.write_text(notebook.read_text().replace("seen by all", "changed by hand"))
    (lab / "notebooks" / "07_stray.ipynb").write_text("{}")
    capsys.readouterr()
    assert build.main(["--root", str(lab), "--check"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "notebooks/00_a.ipynb" in first and "labkit build" in first
    assert "07_stray.ipynb" in second
    assert "changed by hand" in notebook.read_text()  # --check changes nothing


def test_a_missing_notebook_fails_the_check(lab, capsys):
    assert build.main(["--root", str(lab), "--check"]) == 1
    assert "is missing" in capsys.readouterr().err


def test_a_folder_without_masters_is_one_sentence(tmp_path, capsys):
    assert build.main(["--root", str(tmp_path)]) == 1
    assert "no master" in capsys.readouterr().err
