"""Open JupyterLab at the first notebook, or print its address where there is no screen.

Runs in any environment that holds the lab: `python scripts/lab.py`. What follows on the command
line goes to JupyterLab, for example --port=9000.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
FIRST = "00_start_here.ipynb"
SETTINGS = Path(__file__).resolve().parent / "jupyter"  # no news, no questions to the network


def main() -> None:
    """Become JupyterLab."""
    command, environment = start(*sys.argv[1:])
    if not has_screen():
        print("There is no screen here: open an address below in a browser. Ctrl-C stops the lab.", flush=True)
    if os.name == "nt":  # Windows cannot replace a running program
        sys.exit(subprocess.run(command, env=environment).returncode)
    os.execve(command[0], command, environment)


def start(*more: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that starts JupyterLab, and its environment."""
    has_first = (NOTEBOOKS / FIRST).exists()
    options = [
        f"--ServerApp.root_dir={NOTEBOOKS if has_first else ROOT}",
        f"--LabApp.default_url=/lab/tree/{FIRST}" if has_first else "--LabApp.default_url=/lab",
        "--ServerApp.answer_yes=True",  # Ctrl-C stops at once
        *("--ServerApp.log_level=WARN", "--LabApp.log_level=WARN"),
    ]
    if not has_screen():
        options.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container
        options.append("--allow-root")
    return [
        sys.executable,
        "-W",
        "ignore::DeprecationWarning",
        "-m",
        "jupyterlab",
        *options,
        *more,
    ], os.environ | settings()


def settings() -> dict[str, str]:
    """Return the environment variables through which Jupyter finds the lab's settings."""
    paths = [str(SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    return {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, paths))}


def has_screen() -> bool:
    """Say whether a browser can open here."""
    if os.environ.get("CI"):
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    main()
