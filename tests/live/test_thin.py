"""A method that makes the network thinner: everything in the panel goes on with other shapes."""

import pytest

import labkit
from labkit import data, zoo
from labkit.live import explore
from labkit.live.result import Choice
from labkit.macs import macs
from labkit.measure import accuracy
from labkit.pruning import FilterPruning
from labkit.quantization import KMeans

TITLE = FilterPruning.title


@pytest.fixture(scope="module")
def thin():
    opened = explore("LeNet-300-100", [FilterPruning(), KMeans()]).wait()
    yield opened
    opened.close()


def test_what_is_shown_of_a_thinner_network_is_what_was_measured(thin):
    for share in (0.2, 0.75, 0.5):
        state = thin.set(method=TITLE, where="whole network").set(knob=share).wait().state
        model = FilterPruning().prepare(zoo.load("LeNet-300-100")).at(share)
        assert state["alert"] == "" and state["accuracy"] == accuracy(model, data.load(), "validation").value
        assert state["bytes"] == labkit.size(model).total == sum(state["layers"].values())
        assert state["macs"] == macs(model, (1, 28, 28))


def test_one_layer_alone_keep_another_method_and_undo(thin):
    thin.set(method=TITLE, where="fc1").wait().set(knob=0.5).wait()
    assert thin._stage.result.model.fc1.weight.shape == (150, 784)
    thin.press("keep").wait()
    assert thin.state["kept"] == [f"{TITLE}, filters 50 % in fc1"]
    state = thin.set(method="k-means codebook", where="whole network").wait().set(knob=4).wait().state
    assert thin._stage.result.model.fc2.weight.shape == (100, 150) and state["alert"] == ""
    assert thin.press("undo").wait().press("undo").wait().state["kept"] == [f"{TITLE}, filters 50 % in fc1"]
    thin.press("reset").wait()
    assert thin.state["kept"] == [] and thin._stage.result.model.fc1.weight.shape[1] == 784


def test_a_thinner_network_is_trained_and_saved(thin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("labkit.live.actions.TUNE_S", 2.0)
    before = thin.set(method=TITLE, where="whole network").wait().set(knob=0.9).wait().state["accuracy"]
    state = thin.press("tune").wait(120).press("save").wait().state
    assert state["tuned"] and state["accuracy"] > before + 0.05
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size == state["bytes"] and labkit.load(path).fc1.weight.shape == (30, 784)


def test_each_layer_but_the_last_is_scanned(thin):
    found = thin.set(method=TITLE, where="whole network").wait().scan()
    assert list(found) == ["fc1", "fc2"] and list(found["fc1"]) == list(FilterPruning.knob.values)


def test_one_graph_is_found_for_all_shares(thin, monkeypatch):
    bench, choice = thin._bench, Choice(TITLE, "LeNet-300-100", "FashionMNIST", value=0.35)
    base = bench.subject(choice).base
    bench.coarse(choice, base)
    monkeypatch.setattr("labkit.skeleton.fold", lambda model: pytest.fail("the graph was found again"))
    bench.coarse(Choice(TITLE, "LeNet-300-100", "FashionMNIST", value=0.45), base)
