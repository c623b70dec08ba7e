"""What the README promises: its code runs, and what it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_code_runs_in_its_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    names: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    printed = int(re.search(r"^(\d+) bytes$", capsys.readouterr().out, re.MULTILINE)[1])
    assert printed < 266_610 * 4 / 8 * 1.05, "4 bits for 32, and little besides"
    # The method of the example is a right one: a grid point is nowhere further than half a step.
    original, small = (dict(model.named_modules()) for model in (names["model"], names["small"]))
    before, after = (layers["fc1"].weight().detach() for layers in (original, small))
    half_step = float(before.max() - before.min()) / 15 / 2
    assert float((before - after).abs().max()) <= half_step * 1.0001
    assert len(after.unique()) <= 16
    picture = names["Uniform"]().prepare(names["model"]).picture(4, "fc1")
    assert picture.values.sum() == before.numel() and len(picture.marks) == 16
    assert (tmp_path / "small.safetensors").stat().st_size < 266_610


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)\s]+)\)", README))
def test_links_lead_somewhere(link):
    assert link.startswith("https://") or (ROOT / link).exists()


def test_the_folders_and_commands_it_names_exist():
    code = re.findall(r"`([^`\n]+)`", README)
    for path in (name for name in code if re.fullmatch(r"(notebooks|labkit|data|tests|scripts)/[\w/.]*", name)):
        assert (ROOT / path).exists(), path
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b", README)) <= targets


def test_the_citation_names_the_survey():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["license"] == "MIT"
    (survey,) = citation["references"]
    assert survey["doi"] in (ROOT / "references.bib").read_text()
