"""environment.yml, pyproject.toml and constraints.txt describe one environment."""

from __future__ import annotations

import importlib.metadata
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAMES = {"pytorch-cpu": "torch"}  # where conda-forge calls a package otherwise
CONDA_ONLY = {"python", "pip"}


def requirements(group: str = "") -> dict[str, Requirement]:
    project = PYPROJECT["project"]
    lines = project["optional-dependencies"][group] if group else project["dependencies"]
    return {canonicalize_name(found.name): found for found in map(Requirement, lines)}


def pins() -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines())
    found = [Requirement(line) for line in lines if line]
    assert all(re.fullmatch(r"==[^*,]+", str(pin.specifier)) for pin in found), "a lock names exact versions"
    return {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in found}


def conda() -> dict[str, SpecifierSet]:
    found = {}
    for line in environment()["dependencies"]:
        if isinstance(line, str):
            # name, then a range as pip writes it, or conda's own =3.12, which means 3.12.*
            name, rest = re.fullmatch(r"([A-Za-z0-9_.-]+)\s*([<>=!].*)?", line).groups()
            rest = re.sub(r"^=(?!=)(.*)$", r"==\1.*", rest or "")
            found[CONDA_NAMES.get(name, canonicalize_name(name))] = SpecifierSet(rest)
    return found


def environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


@pytest.mark.parametrize("group", ["", "test"])
def test_the_lock_pins_every_dependency_inside_its_range(group):
    for name, wanted in requirements(group).items():
        assert name in pins(), f"{name} has no line in constraints.txt"
        assert wanted.specifier.contains(pins()[name]), f"{wanted} excludes the locked {pins()[name]}"


def test_the_lock_pins_what_the_dependencies_need_themselves():
    installed = closure({*requirements(), *requirements("test")})
    assert len(installed) > 100
    assert sorted(installed - set(pins())) == []


def closure(names: set[str]) -> set[str]:
    """Everything that packages need in this environment, themselves included."""
    found, todo = set(), set(names)
    while todo:
        name = todo.pop()
        found.add(name)
        for line in importlib.metadata.requires(name) or []:
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                todo |= {canonicalize_name(need.name)} - found
    return found


@pytest.mark.skipif(not (ROOT / ".venv" / "installed").exists(), reason="only `make test` installs the locked versions")
def test_what_is_installed_is_what_is_locked():
    locked = pins()
    for name in closure({*requirements(), *requirements("test")}):
        installed = importlib.metadata.version(name).partition("+")[0]  # whatever build: 2.13.0+cpu is 2.13.0
        assert installed == locked[name], f"{name} {installed} is installed, {locked[name]} is locked"


def test_conda_has_every_dependency_and_no_other():
    assert set(conda()) - CONDA_ONLY == set(requirements())


def test_conda_ranges_admit_the_locked_versions_and_equal_pips():
    for name, wanted in requirements().items():
        assert conda()[name].contains(pins()[name]), f"conda's {name} excludes the locked {pins()[name]}"
        assert conda()[name] == wanted.specifier, f"{name}: {conda()[name]} for conda, {wanted.specifier} for pip"


def test_conda_takes_a_python_that_labkit_supports():
    (python,) = [line for line in environment()["dependencies"] if isinstance(line, str) and line.startswith("python=")]
    assert SpecifierSet(PYPROJECT["project"]["requires-python"]).contains(python.removeprefix("python=") + ".0")


def test_conda_installs_labkit_itself_by_pip_and_nothing_else():
    (by_pip,) = [part["pip"] for part in environment()["dependencies"] if isinstance(part, dict)]
    assert by_pip == ["-e ."]


@pytest.mark.parametrize("script", ["postBuild", ".ci/run"])
def test_scripts_can_be_run(script):
    assert os.access(ROOT / script, os.X_OK)
