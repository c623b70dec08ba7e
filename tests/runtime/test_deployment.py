"""Promises beside what each runtime makes of them: the baseline is its own control, and nothing is compared across."""

import shutil

import pytest

from labkit import data, storage, zoo
from labkit.lowrank import SVD
from labkit.quantization import KMeans
from labkit.runtime import deployment as deploying
from labkit.runtime.deployment import COMPILED, EAGER, INT8, ONNX, deployment, promises


@pytest.fixture(scope="module")
def networks():
    mlp = zoo.load("LeNet-300-100")
    return {"dense": mlp, "thin": SVD().prepare(mlp).at(16), "4 bits": KMeans().prepare(mlp).at(4)}


@pytest.fixture(scope="module")
def runs(networks):
    return list(deployment(networks, data.load(), (1, 8), 3, (EAGER, ONNX, INT8)))


def test_each_network_in_each_runtime(runs, networks):
    assert [(run.runtime, run.network) for run in runs] == [(r, n) for r in (EAGER, ONNX, INT8) for n in networks]
    for run in runs:
        assert set(run.seconds) == set(run.faster) == {1, 8} and min(run.seconds.values()) > 0
        ratio = run.faster[1]
        own = (ratio.value, ratio.low, ratio.high) == (ratio.control, ratio.control_low, ratio.control_high)
        assert own == (run.network == "dense"), "only the dense network is its own control"


def test_files_are_those_of_the_runtime(runs, networks):
    size = {(run.runtime, run.network): run.bytes for run in runs}
    for name, net in networks.items():
        assert size[EAGER, name] == storage.size(net).total
    assert size[ONNX, "4 bits"] == size[ONNX, "dense"], "ONNX knows no codebook"
    assert size[ONNX, "dense"] / size[INT8, "dense"] == pytest.approx(4, rel=0.1)
    assert size[ONNX, "thin"] < size[ONNX, "dense"] / 4


def test_the_table_says_promise_and_verdict(runs, networks):
    table = promises(networks, data.load(), runs)
    assert len(table.rows) == len(runs) and len(table.columns) == 3 + 2 * 2
    assert table.rows[0][2][0] == "× 1.00" and "control" in table.rows[0][4][0]
    dense, thin = (266_200, 16 * (784 + 300 + 300 + 100) + 1000)
    assert table.rows[1][2][0] == f"× {dense / thin:.2f}"


@pytest.mark.slow
def test_compiled(networks):
    if not deploying.compiles():
        pytest.skip("no C++ compiler")
    (run,) = deployment({"dense": networks["dense"]}, data.load(), (1,), 3, (COMPILED,))
    assert run.runtime == COMPILED and run.seconds[1] > 0


def test_without_a_compiler_its_rows_are_missing_and_the_note_says_so(networks, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = list(deployment(networks, data.load(), (1,), 3, (COMPILED, EAGER)))
    assert {run.runtime for run in found} == {EAGER}
    assert "install g++" in promises(networks, data.load(), found).note


@pytest.mark.parametrize(
    "wrong",
    [{"networks": {}}, {"batches": (0,)}, {"rounds": 2}, {"runtimes": ("abacus",)}],
    ids=lambda w: next(iter(w)),
)
def test_what_is_refused(networks, wrong):
    arguments = {"networks": networks, "data": data.load(), "batches": (1,), "rounds": 3} | wrong
    with pytest.raises(ValueError, match=r"give at least|choose among"):
        list(deployment(**arguments))
