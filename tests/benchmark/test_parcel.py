"""Networks and data travel once to each worker, are checked when they arrive, and a killed worker costs nothing."""

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
import time

import pytest
from distributed import Client, LocalCluster

from labkit import data as datasets
from labkit.benchmark import results
from labkit.benchmark.parcel import Parcel, pack
from labkit.benchmark.point import Point
from labkit.benchmark.sweep import sweep

VALUES = (1, 2, 3, 4, 5, 6, 7, 8)


def points(*values: float) -> list[Point]:
    return [Point("LeNet-300-100", "MNIST", "quantization.KMeans", value) for value in values]


def sent(name: str, content: bytes) -> Parcel:
    return Parcel({name: (hashlib.sha256(content).hexdigest(), content)})


def test_a_parcel_has_what_its_points_need_and_no_more():
    taught = Point("VGG", "MNIST", "distillation.SoftTargets", 0.25, arguments={"teacher": "MLP-2x1200"})
    files = set(pack([*points(2, 4), taught]).files)
    networks = {f"checkpoints/MNIST/{name}" for name in ("LeNet-300-100", "VGG", "MLP-2x1200")}
    expected = {f"{name}.{ending}" for name in networks for ending in ("json", "safetensors")}
    assert files == expected | {f"MNIST/raw/{name}.gz" for name in datasets.IDX}


def test_what_is_there_is_not_written_again(tmp_path):
    parcel = sent("checkpoints/MNIST/one.json", b"card")
    assert [parcel.unpack(tmp_path), parcel.unpack(tmp_path)] == [1, 0]
    (tmp_path / "checkpoints/MNIST/one.json").write_bytes(b"trained here")
    assert [parcel.unpack(tmp_path), parcel.unpack(tmp_path)] == [1, 0]
    assert (tmp_path / "checkpoints/MNIST/one.json").read_bytes() == b"card"
    (aside,) = (tmp_path / "checkpoints/MNIST").glob("*.before")
    assert aside.read_bytes() == b"trained here", "nothing is lost"


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "checkpoints/../../outside"])
def test_a_parcel_writes_nowhere_else(tmp_path, name):
    with pytest.raises(ValueError, match="no path in the data folder"):
        sent(name, b"content").unpack(tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_parcel_is_refused(tmp_path):
    (digest, content) = sent("one", b"content").files["one"]
    with pytest.raises(ValueError, match="damaged"):
        Parcel({"one": (digest, content + b"!")}).unpack(tmp_path)
    assert list(tmp_path.iterdir()) == []


def counted(dask_worker) -> int:
    return dask_worker.labkit_parcels


@contextlib.contextmanager
def worker(address: str, home):
    """A worker process of its own, as on another machine: its data folder is empty."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    command += ["--host", "127.0.0.1", "--no-dashboard", "--local-directory", str(home / "scratch")]
    environment = os.environ | {"LABKIT_DATA": str(home / "data"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_two_workers_without_files_of_which_one_is_killed(tmp_path):
    """The model and the data reach each worker once, and the points of the dead one are done by the other."""
    where = dict(protocol="tcp", host="127.0.0.1", scheduler_kwargs={"dashboard_address": "127.0.0.1:0"})
    homes = [tmp_path / name for name in ("one", "two")]
    for home in homes:
        (home / "data").mkdir(parents=True)
    with LocalCluster(n_workers=0, **where) as scheduler, contextlib.ExitStack() as stack:
        address = scheduler.scheduler_address
        _first, second = [stack.enter_context(worker(address, home)) for home in homes]
        client = stack.enter_context(Client(address, set_as_default=False))
        client.wait_for_workers(2, timeout=60)
        killed = []

        def kill() -> None:
            while len(results.read("far", tmp_path)) < 2:
                time.sleep(0.02)
            killed.append(client.run(counted))
            second.kill()

        watcher = threading.Thread(target=kill)
        watcher.start()
        ended = sweep("far", points(*VALUES), scheduler=address, folder=tmp_path)
        watcher.join()
        left = client.run(counted)
    assert (ended.points, ended.failed) == (len(VALUES), 0)
    assert sorted(killed[0].values()) == [1, 1], "each worker got the parcel once"
    assert list(left.values()) == [1], "only one is left, and it got no second parcel"
    found = {entry.point.value: entry.result for entry in results.read("far", tmp_path)}
    assert sorted(found) == list(VALUES)
    assert all((home / "data/checkpoints/MNIST/LeNet-300-100.safetensors").exists() for home in homes)
    here = sweep("here", points(4), workers=1, folder=tmp_path)
    (own,) = [entry.result for entry in results.read(here.name, tmp_path)]
    assert found[4]["accuracy"] == own["accuracy"] and found[4]["bytes"] == own["bytes"]
