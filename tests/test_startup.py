"""The start-up scripts: the right Python, the right builds, the right browser, and plain words where one is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import chromium, install, lab

ROOT = Path(__file__).resolve().parents[1]


def fake_python(folder: Path, name: str, minor: int) -> None:
    """Write a program that answers as a Python 3.`minor` does."""
    script = folder / name
    too_old = int(minor < 11)
    script.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.{minor}.0" && exit 0\nexit {too_old}\n')
    script.chmod(0o755)


def find_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = ["/bin/sh", str(ROOT / "scripts" / "find_python.sh"), *arguments]
    return subprocess.run(command, env={"PATH": str(folder)}, capture_output=True, text=True)


def test_an_old_python3_is_passed_over_for_a_newer_one(tmp_path):
    fake_python(tmp_path, "python3", 9)
    fake_python(tmp_path, "python3.12", 12)
    assert find_python(tmp_path).stdout == "python3.12\n"


def test_without_a_usable_python_one_sentence_says_what_to_do(tmp_path):
    for python, said in [(None, "no Python"), ("python3", "Python 3.9.0")]:
        if python:
            fake_python(tmp_path, python, 9)
        answer = find_python(tmp_path)
        assert answer.returncode == 1 and answer.stdout == ""
        assert "needs Python 3.11 or newer" in answer.stderr and said in answer.stderr
        assert answer.stderr.count("\n") == 1


@pytest.fixture
def venv(tmp_path, monkeypatch) -> list[tuple[str, ...]]:
    """A Linux without .venv, in which pip only notes what it is asked for; the list of its calls."""
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(install.platform, "system", lambda: "Linux")
    monkeypatch.setattr(install, "has", lambda pin: False)
    monkeypatch.setattr(install, "pip", lambda *words: calls.append(words) or True)
    monkeypatch.setattr(install, "STAMP", tmp_path / "installed")
    return calls


def test_cpu_takes_pytorchs_own_builds_in_the_locked_versions(venv):
    install.choose_torch(cpu=True)
    (call,) = venv
    assert "https://download.pytorch.org/whl/cpu" in call
    lock = (ROOT / "constraints.txt").read_text().split()
    assert set(call[-2:]) == {line for line in lock if line.startswith(("torch==", "torchvision=="))}


def test_torch_that_is_there_is_left_alone(venv, monkeypatch):
    monkeypatch.setattr(install, "has", lambda pin: True)
    install.choose_torch(cpu=True)
    assert venv == []


def test_without_cpu_a_machine_without_a_card_is_told(venv, monkeypatch, capsys):
    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    install.choose_torch(cpu=False)
    assert venv == []
    assert Path("/dev/nvidia0").exists() or "CPU=1 does without" in capsys.readouterr().out


def test_unreachable_cpu_builds_stop_rather_than_download_cuda(venv, monkeypatch, capsys):
    monkeypatch.setattr(install, "pip", lambda *words: False)
    found = {"install": [{"metadata": {"version": "2.13.0"}}]}
    answer = subprocess.CompletedProcess([], 0, json.dumps(found), "")
    monkeypatch.setattr(install.subprocess, "run", lambda *words, **named: answer)
    with pytest.raises(SystemExit, match="cannot be reached: try again"):
        install.choose_torch(cpu=True)
    found["install"][0]["metadata"]["version"] = "2.13.0+cpu"
    answer.stdout = json.dumps(found)
    install.choose_torch(cpu=True)
    assert "going on with it" in capsys.readouterr().out


def test_the_second_start_installs_nothing_until_a_version_changes(venv, monkeypatch, tmp_path):
    lock = tmp_path / "constraints.txt"
    lock.write_text("torch==1.0\n")
    monkeypatch.setattr(install, "CONSTRAINTS", lock)
    monkeypatch.setattr(install, "succeeds", lambda *command: True)
    monkeypatch.setattr(sys, "argv", ["install.py"])
    install.main()
    first = len(venv)
    assert first == 1
    install.main()
    assert len(venv) == first
    monkeypatch.setattr(sys, "argv", ["install.py", "--test"])
    install.main()  # the tests need more
    assert len(venv) == first + 1
    monkeypatch.setattr(sys, "argv", ["install.py"])
    install.main()  # and serve the lab too
    assert len(venv) == first + 1
    lock.write_text("torch==1.1\n")
    install.main()
    assert len(venv) == first + 2


def test_an_installation_that_failed_is_not_taken_for_whole(venv, monkeypatch):
    monkeypatch.setattr(install, "succeeds", lambda *command: True)
    monkeypatch.setattr(install, "pip", lambda *words: False)
    monkeypatch.setattr(sys, "argv", ["install.py"])
    install.STAMP.write_text("an older one\n")
    with pytest.raises(SystemExit, match="could not be installed"):
        install.main()
    assert not install.STAMP.exists()


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_browser_opens_only_where_there_is_a_screen(variable, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("CI", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert "--no-browser" in lab.start()[0]
    monkeypatch.setenv(variable, ":0")
    assert "--no-browser" not in lab.start()[0]
    monkeypatch.setenv("CI", "true")
    assert "--no-browser" in lab.start()[0]


def test_the_lab_keeps_its_token_and_adds_its_settings_to_the_users(monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/elsewhere")
    command, environment = lab.start("--port=9000")
    assert command[-1] == "--port=9000"
    assert not any("token" in word or "password" in word for word in command)
    ours, theirs = environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert theirs == "/elsewhere"
    for file in sorted(Path(ours).rglob("*.json")):
        assert json.loads(file.read_text())
    assert (Path(ours) / "labconfig" / "page_config.json").exists()


def test_chromium_is_taken_from_the_path_first(tmp_path, monkeypatch):
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("LABKIT_CHROMIUM", raising=False)
    monkeypatch.setattr(chromium, "playwrights_own", lambda: "/its/own")
    assert chromium.find() == str(program)
    program.unlink()
    assert chromium.find() == "/its/own"


@pytest.mark.parametrize(("user", "steps"), [(0, ["apt-get", "apt-get", sys.executable]), (1000, [sys.executable])])
def test_chromium_comes_from_debian_for_root_and_else_from_playwright(user, steps, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(chromium, "find", lambda: None)
    monkeypatch.setattr(chromium.os, "geteuid", lambda: user)
    monkeypatch.setattr(chromium.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(chromium.subprocess, "run", lambda command, **named: ran.append(command[0]))
    chromium.main()
    assert ran == steps
    assert "the browser tests are skipped" in capsys.readouterr().out
