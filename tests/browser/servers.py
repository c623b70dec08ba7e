"""JupyterLab and Voila as a user starts them, for the browser tests: own ports, own settings, no traces."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil

from scripts import lab

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "logs"
START_S = 120  # a loaded machine is slow to import everything


@dataclass(frozen=True)
class Server:
    """A running server: its address, its token and the folder whose notebooks it shows."""

    address: str
    token: str
    folder: Path
    pid: int

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of these code cells (`# %%`-free source) into the folder, and return its name."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / name)
        return name

    def memory(self) -> int:
        """Return the bytes that the server and its kernels hold (shared pages count for each)."""
        server = psutil.Process(self.pid)
        return sum(process.memory_info().rss for process in [server, *server.children(recursive=True)])


@contextmanager
def jupyterlab(folder: Path, scratch: Path) -> Iterator[Server]:
    """Run JupyterLab on a folder, with the settings that `make lab` gives it."""
    address, token = free_address(), secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={folder}"),
        *(f"--ServerApp.port={address.rpartition(':')[2]}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"),
        "--LabApp.expose_app_in_browser=True",
    ]
    with running("jupyterlab", command, isolated(scratch, token), f"{address}/api") as pid:
        yield Server(address, token, folder, pid)


@contextmanager
def voila(folder: Path, scratch: Path) -> Iterator[Server]:
    """Run Voila on a folder."""
    address = free_address()
    command = [
        *(sys.executable, "-m", "voila", str(folder), "--no-browser", "--Voila.ip=127.0.0.1"),
        *(f"--port={address.rpartition(':')[2]}", "--Voila.port_retries=0", "--show_tracebacks=True"),
    ]
    with running("voila", command, isolated(scratch, ""), f"{address}/voila") as pid:
        yield Server(address, "", folder, pid)


def free_address() -> str:
    """Return an address on this machine whose port nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def isolated(scratch: Path, token: str) -> dict[str, str]:
    """Return an environment in which Jupyter neither reads nor writes the user's own settings."""
    names = (
        *("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"),
        *("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"),
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY_"))}
    folders = {name: str(scratch / name.lower()) for name in names}
    return environment | folders | lab.settings() | {"PYTHONPATH": str(ROOT), "JUPYTER_TOKEN": token}


@contextmanager
def running(name: str, command: list[str], environment: dict[str, str], ready: str) -> Iterator[int]:
    """Start a server, wait until it answers, and end it with all its kernels."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        wait_for(ready, process, log)
        yield process.pid
    finally:
        end(process)


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    """Return when the address answers; raise RuntimeError with the log's end where the server died."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers, if only to ask for a token
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{address} does not answer; {log} ends:\n{log.read_text(errors='replace')[-2000:]}")


def end(process: subprocess.Popen) -> None:
    """Ask a server to stop; kill what is left of it and of its kernels."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
    for child in psutil.wait_procs(family, timeout=5)[1]:
        child.kill()
