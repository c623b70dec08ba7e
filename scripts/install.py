"""Make .venv and install the lab's locked versions into it; do nothing where that is already done."""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"
CONSTRAINTS = ROOT / "constraints.txt"
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"


def main() -> None:
    """Install for the lab, or with --test for its tests too; --cpu takes PyTorch's CPU builds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", action="store_true", help="also what the tests need")
    parser.add_argument("--cpu", action="store_true", help="PyTorch's own CPU builds")
    options = parser.parse_args()
    if is_installed(options.test):
        return
    make_venv()
    choose_torch(options.cpu)
    say("Installing the lab's packages into .venv; this takes some minutes, once.")
    package = f"{ROOT}[test]" if options.test else str(ROOT)
    if not pip("install", "--editable", package, "--constraint", str(CONSTRAINTS)):
        sys.exit("The packages could not be installed: pip's last lines say why. Start again to go on from here.")
    STAMP.write_text(wanted() + (" test" if options.test else "") + "\n")


def wanted() -> str:
    """Return a fingerprint of all that decides what belongs into .venv."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()).hexdigest()


def is_installed(test: bool) -> bool:
    """Say whether .venv holds what is wanted now; an installation for the tests serves the lab too."""
    if not STAMP.exists() or not succeeds(PYTHON, "-c", ""):
        return False
    fingerprint, _, extra = STAMP.read_text().strip().partition(" ")
    return fingerprint == wanted() and (extra == "test" or not test)


def make_venv() -> None:
    """Make .venv anew where it is missing or broken: a moved or upgraded Python leaves a dead link."""
    STAMP.unlink(missing_ok=True)  # an installation that is interrupted must not look finished
    if succeeds(PYTHON, "-m", "pip", "--version"):
        return
    if find_spec("ensurepip") is None:
        sys.exit(
            "This Python cannot make virtual environments: install its venv module and start again "
            f"(on Debian and Ubuntu: apt install python3.{sys.version_info.minor}-venv)."
        )
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode:
        sys.exit(f".venv could not be made: {made.stderr.strip() or made.stdout.strip()}")


def choose_torch(cpu: bool) -> None:
    """On Linux, where PyTorch's ordinary build brings CUDA, take the CPU builds if asked to."""
    pins = [line for line in CONSTRAINTS.read_text().split() if line.startswith(("torch==", "torchvision=="))]
    if platform.system() != "Linux" or all(has(pin) for pin in pins):
        return
    if not cpu:
        if not (shutil.which("nvidia-smi") or Path("/dev/nvidia0").exists()):
            say("No NVIDIA card is here, and PyTorch's ordinary build may bring gigabytes for one: CPU=1 does without.")
        return
    say("Installing PyTorch's CPU builds.")
    # What they depend on comes afterwards, from the usual place and in the locked versions.
    if pip("install", "--no-deps", "--index-url", CPU_BUILDS, "--retries", "1", "--timeout", "20", *pins):
        return
    if not ordinary_is_cpu(pins):
        sys.exit(
            f"PyTorch's CPU builds at {CPU_BUILDS} cannot be reached: "
            "try again with a network, or leave CPU=1 out and download about 3 GB."
        )
    say("PyTorch's CPU builds cannot be reached, but what pip finds without them is a CPU build too: going on with it.")


def has(pin: str) -> bool:
    """Say whether .venv holds this version of a package, of whatever build (2.13.0+cpu is 2.13.0)."""
    name, version = pin.split("==")
    seek = f"import importlib.metadata as m, sys; sys.exit(m.version('{name}').split('+')[0] != '{version}')"
    return succeeds(PYTHON, "-c", seek)


def ordinary_is_cpu(pins: list[str]) -> bool:
    """Say whether the PyTorch that pip finds in its usual places is a CPU build."""
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--report", "-", pins[0]]
    report = subprocess.run(command, capture_output=True, text=True)
    if report.returncode:
        return False
    return all(item["metadata"]["version"].endswith("+cpu") for item in json.loads(report.stdout)["install"])


def pip(*arguments: str) -> bool:
    """Run the environment's pip, with its progress where somebody watches, and say whether it succeeded."""
    quiet = [] if sys.stdout.isatty() else ["-qq"]
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments, *quiet]
    return subprocess.run(command).returncode == 0


def succeeds(*command: str | Path) -> bool:
    """Run a command out of sight, and say whether it succeeded."""
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
