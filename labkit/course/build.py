"""`labkit build`: from the masters in notebooks/source to everything that people open.

notebooks/NN_name.ipynb                  for students, committed
build/solution/NN_name.ipynb             with the answers
build/nbgrader/source/NN_name/...        for nbgrader's generate_assignment
build/site/                              the notebooks to read in a browser, and a page that lists them
"""

from __future__ import annotations

import argparse
import html
import os
import sys
from pathlib import Path

from labkit.course import master
from labkit.course.themes import svg

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Build all, or with --check only compare; return 0, or 1 after one sentence for each thing wrong."""
    parser = argparse.ArgumentParser(prog="labkit build", description="Build the notebooks from notebooks/source.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail where a notebook is out of date")
    parser.add_argument("--no-site", action="store_true", help="leave out the static site, the slowest part")
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder that holds notebooks/")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            wrong = out_of_date(options.root)
        else:
            wrong = []
            for path in build(options.root, site=not options.no_site):
                print(path)
    except (ValueError, OSError) as error:
        wrong = [str(error)]
    for sentence in wrong:
        print(f"labkit: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


def masters(root: Path) -> list[Path]:
    """List the masters in the order of the course; raise ValueError where there are none."""
    found = sorted((root / "notebooks" / "source").glob("[0-9][0-9]_*.py"))
    if not found:
        raise ValueError(f"{root / 'notebooks' / 'source'} holds no master: give the lab's folder by --root")
    return found


def student(root: Path, path: Path) -> Path:
    """Return where the student form of a master lies."""
    return root / "notebooks" / f"{path.stem}.ipynb"


def out_of_date(root: Path) -> list[str]:
    """Say for each committed notebook that is not what its master builds what is wrong and what to run."""
    wrong = []
    expected = {student(root, path): path for path in masters(root)}
    for notebook, path in expected.items():
        if not notebook.exists() or notebook.read_text(encoding="utf-8") != master.build(path, "student"):
            state = "differs from what" if notebook.exists() else "is missing, and"
            names = notebook.relative_to(root), path.relative_to(root)
            wrong.append(f"{names[0]} {state} {names[1]} builds: run `labkit build` and commit the result")
    for notebook in sorted(set((root / "notebooks").glob("*.ipynb")) - expected.keys()):
        wrong.append(f"{notebook.relative_to(root)} has no master in notebooks/source: write or remove one")
    return wrong


def build(root: Path, site: bool = True) -> list[Path]:
    """Write every form of every notebook, and the site; return the paths."""
    written = []
    for path in masters(root):
        places = {
            "student": student(root, path),
            "solution": root / "build" / "solution" / f"{path.stem}.ipynb",
            "nbgrader": root / "build" / "nbgrader" / "source" / path.stem / f"{path.stem}.ipynb",
        }
        for form, place in places.items():
            written.append(write(place, master.build(path, form)))
    return written + (build_site(root) if site else [])


def build_site(root: Path) -> list[Path]:
    """Write the student notebooks as pages, and the page that lists them under the survey's map."""
    from nbconvert import HTMLExporter  # slow to import

    folder, pages = root / "build" / "site", {}
    for path in masters(root):
        body, _ = HTMLExporter().from_filename(str(student(root, path)))
        pages[write(folder / f"{path.stem}.html", body)] = _title(path)
    entries = "".join(f'<li><a href="{page.name}">{html.escape(title)}</a></li>' for page, title in pages.items())
    return [*pages, write(folder / "index.html", INDEX.format(entries=entries, map=svg()))]


def _title(path: Path) -> str:
    """Return the first heading of a master."""
    for cell in master.read(path):
        if cell.kind == "markdown" and cell.source.startswith("# "):
            return cell.source.splitlines()[0][2:]
    raise ValueError(f"{path} has no title: begin its first text with `# `")


def write(path: Path, text: str) -> Path:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.new")
    scratch.write_text(text, encoding="utf-8")
    os.replace(scratch, path)
    return path


INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The Compression Lab</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 17px/1.5 system-ui, sans-serif; max-width: 860px; margin: 2rem auto; padding: 0 1rem; }}
a {{ color: light-dark(#0060A0, #6CB8F0); }}
</style>
</head>
<body>
<h1>The Compression Lab</h1>
<p>Notebooks that compress real networks while you drag a slider. These pages are for reading:
in the lab itself every slider moves and every number is measured on your machine.</p>
<ul>{entries}</ul>
<h2>The survey's map of methods</h2>
{map}
</body>
</html>
"""
