"""A sweep runs what is open, goes on after a kill, outlives its workers, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dask
import psutil
import pytest
from distributed import Client, LocalCluster

from labkit.benchmark import cluster, results
from labkit.benchmark import sweep as sweeping
from labkit.benchmark.point import Point
from labkit.benchmark.run import run
from labkit.benchmark.sweep import sweep
from labkit.data import ROOT
from tests.benchmark.workers import DEADLY, deadly, quick


def points(*values: float) -> list[Point]:
    return [Point("LeNet-300-100", "MNIST", "quantization.KMeans", value) for value in values]


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Path:
    """A folder in which every file that a sweep leaves behind would be."""
    for name in ("here", "scratch"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path


def left(folder: Path) -> list[Path]:
    """What is in a folder, but for a cache that PyTorch opens when torchvision is imported."""
    return [path for path in folder.iterdir() if not path.name.startswith("torchinductor")]


def listening() -> set[tuple[str, int]]:
    """Where this process and those that it started listen."""
    own = psutil.Process()
    found = [one for process in [own, *own.children(recursive=True)] for one in process.net_connections()]
    return {tuple(one.laddr) for one in found if one.status == psutil.CONN_LISTEN}


def os_group(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None


@pytest.mark.slow
def test_a_sweep_goes_on_where_it_was(empty):
    wanted = points(2, 4, 40)
    ended = sweep("tiny", wanted, workers=2, folder=empty)
    assert (ended.points, ended.failed) == (3, 1)
    path = empty / "tiny.jsonl"
    assert str(ended) == f"tiny: 3 points, 1 failed, in {path}"
    found = {entry.point.value: entry for entry in results.read("tiny", empty)}
    assert found[40].error["type"] == "ValueError" and "bits is 40, but must be one of" in found[40].error["sentence"]
    assert found[2].machine["threads"] == 1 and found[2].versions["labkit"] and found[2].when.endswith("+00:00")
    for value in (2, 4):
        here = run(found[value].point)
        assert {**found[value].result, "seconds": here["seconds"]} == here

    whole = path.read_bytes()
    *before, last = whole.splitlines(keepends=True)
    path.write_bytes(whole[: -len(last) // 2])
    assert sweep("tiny", wanted, workers=2, folder=empty, work=quick).points == 3
    after = path.read_bytes().splitlines(keepends=True)
    assert after[:-1] == before, "what was finished did not run again"
    assert json.loads(after[-1])["key"] == json.loads(last)["key"]
    assert left(empty / "here") == left(empty / "scratch") == []


def test_what_is_finished_runs_no_more(tmp_path, monkeypatch, capsys):
    results.append("done", results.Entry(points(2)[0], **quick({"value": 2})), tmp_path)
    results.append("done", results.Entry(points(3)[0], error={"type": "ValueError", "sentence": "no"}), tmp_path)
    asked = []

    def outcomes(client, todo, work):
        asked.append([point.value for point in todo])
        yield from (results.Entry(point, **quick(point.record())) for point in todo)

    monkeypatch.setattr(sweeping, "_outcomes", outcomes)
    monkeypatch.setattr(sweeping, "connect", lambda workers, scheduler: contextlib.nullcontext())
    assert sweep("done", points(2, 3), folder=tmp_path).failed == 1
    assert asked == [], "no cluster is needed"
    assert sweep("done", points(2, 3, 4), folder=tmp_path).failed == 1
    assert "3/3" in (shown := capsys.readouterr().err) and "failed=1" in shown
    assert sweep("done", points(2, 3, 4), folder=tmp_path, retry=True).failed == 0
    assert asked == [[4], [3]]
    assert sweep("done", points(2), folder=tmp_path).points == 1, "points of another spec do not count"


def test_a_worker_that_dies_does_not_stop_the_others(empty):
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        ended = sweep("deadly", points(1, 2, DEADLY, 4, 5, 6), workers=2, folder=empty, work=deadly)
    found = {entry.point.value: entry for entry in results.read("deadly", empty)}
    assert (ended.points, ended.failed, len(found)) == (6, 1, 6)
    assert found[DEADLY].error["type"] == "KilledWorker" and "worker died" in found[DEADLY].error["sentence"]
    assert [value for value, entry in sorted(found.items()) if entry.result] == [1, 2, 4, 5, 6]
    assert left(empty / "here") == left(empty / "scratch") == []


def test_nobody_outside_can_reach_the_cluster(empty):
    before = listening()
    with cluster.connect(2, None):
        opened = listening() - before
    assert opened and {address for address, _ in opened} == {"127.0.0.1"}
    assert 8787 not in {port for _, port in opened}, "a fixed port could be taken"
    assert listening() <= before


@pytest.fixture
def near(tmp_path):
    """The address of a scheduler that was there before the sweep, with one worker."""
    where = dict(protocol="tcp", host="127.0.0.1", scheduler_kwargs={"dashboard_address": "127.0.0.1:0"})
    with (
        dask.config.set({"temporary-directory": str(tmp_path / "scratch")}),
        LocalCluster(n_workers=1, processes=False, **where) as own,
    ):
        yield own.scheduler_address


def test_a_scheduler_that_is_there_is_used(near, tmp_path):
    assert near.startswith("tcp://127.0.0.1:")
    ended = sweep("far", points(2, 4), scheduler=near, folder=tmp_path, work=quick)
    assert (ended.points, ended.failed) == (2, 0)
    assert sorted(entry.result["bytes"] for entry in results.read("far", tmp_path)) == [200, 400]


class Lost:
    """A client whose scheduler goes as soon as it is asked."""

    def __init__(self, client: Client):
        self.loop, self.nthreads, self._client = client.loop, client.nthreads, client

    def submit(self, work, *arguments, **named):
        future = self._client.submit(time.sleep, 1, pure=False)
        future.cancel()
        return future


def test_a_scheduler_that_goes_away_ends_the_sweep(near):
    with Client(near, set_as_default=False) as client, pytest.raises(ConnectionError, match="goes on when it is back"):
        list(sweeping._outcomes(Lost(client), points(2), quick))


def test_a_scheduler_that_does_not_answer_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    monkeypatch.setattr(cluster, "JOIN_S", 0.5)
    for address in ("tcp://127.0.0.1:1", "nonsense://x"):
        with pytest.raises(ConnectionError, match=f"no scheduler answers at {address}: start one"):
            sweep("far", points(2), scheduler=address, folder=tmp_path)
    with LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0") as alone:
        address = alone.scheduler_address
        with pytest.raises(ConnectionError, match=f"no worker has joined {address}"):
            sweep("far", points(2), scheduler=address, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="workers is 0"):
        sweep("none", points(2), workers=0, folder=tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals to a group of processes")
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path):
    """The real command, stopped as a terminal does: by a signal to it and to all its workers."""
    for name in ("MNIST", "checkpoints"):
        (tmp_path / name).symlink_to(ROOT / name)
    spec = tmp_path / "long.toml"
    networks, methods = '[{ name = "LeNet-300-100", data = "MNIST" }]', '["quantization.KMeans"]'
    seeds = list(range(100))
    spec.write_text(f'[[runs]]\nnetworks = {networks}\nmethods = {methods}\nvalues = "all"\nseeds = {seeds}\n')
    command = [sys.executable, "-m", "labkit", "sweep", str(spec), "--workers", "2"]
    environment = os.environ | {"LABKIT_DATA": str(tmp_path), "TMPDIR": str(tmp_path / "scratch")}
    (tmp_path / "scratch").mkdir()
    root = Path(__file__).resolve().parents[2]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore Ctrl-C
    try:
        process = subprocess.Popen(command, cwd=root, env=environment, start_new_session=True, **pipes)
    finally:
        signal.signal(signal.SIGINT, before)
    path = tmp_path / "results" / "long.jsonl"
    until = time.monotonic() + 40
    while not (path.exists() and path.stat().st_size) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    out, said = process.communicate(timeout=20)
    assert process.returncode == 1 and out == ""
    assert said.strip().splitlines()[-1] == "labkit: stopped; the same command goes on where it was"
    assert "Traceback" not in said
    assert 0 < len(results.read("long", tmp_path / "results")) < 800
    assert left(tmp_path / "scratch") == []
    assert [
        one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(one.info["cmdline"] or ())
    ] == []
