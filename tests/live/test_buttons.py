"""The panel's buttons: keep, undo, reset, save, fine-tune."""

import labkit
from labkit import data
from labkit.measure import accuracy


def test_keep_stacks_methods_and_the_second_starts_from_the_first(panel):
    panel.set(method="Magnitude pruning").wait().set(knob=0.9).wait().press("keep").wait()
    assert panel.state["kept"] == ["Magnitude pruning, sparsity 90 %"]
    pruned = panel.state["bytes"]
    state = panel.set(method="k-means codebook").wait().set(knob=4).wait().state
    assert state["bytes"] < pruned
    assert "sparsity 90 %, then 4 bits" in state["say"]


def test_undo_goes_back_step_by_step_and_reset_to_the_beginning(panel):
    for value in (6, 4, 2):
        panel.set(knob=value).wait()
    panel.press("undo").wait()
    assert panel.state["knob"] == 4
    panel.press("undo").wait()
    assert panel.state["knob"] == 6
    panel.press("reset").wait()
    assert (panel.state["knob"], panel.state["kept"]) == (8, [])
    assert [len(series["points"]) for series in panel.state["trail"]] == [1]


def test_undo_takes_a_kept_method_back(panel):
    panel.set(knob=2).wait().press("keep").wait()
    assert panel.state["kept"]
    assert panel.press("undo").wait().state["kept"] == []
    assert panel.state["knob"] == 2


def test_save_writes_a_file_of_the_size_that_was_shown(panel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panel.set(knob=3).wait().press("save").wait()
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size == panel.state["bytes"]
    assert path.name in panel.state["say"] and f"{path.stat().st_size:,}" in panel.state["say"]
    assert accuracy(labkit.load(path), data.load(), "validation").value == panel.state["accuracy"]


def test_fine_tuning_raises_a_collapsed_accuracy_and_a_moved_knob_ends_it(panel, monkeypatch):
    monkeypatch.setattr("labkit.live.actions.TUNE_S", 2.0)
    before = panel.set(knob=1).wait().state["accuracy"]
    state = panel.press("tune").wait(120).state
    assert state["tuned"] and state["accuracy"] > before + 0.05
    assert any(series["name"].startswith("fine-tuning") for series in state["trail"])
    monkeypatch.setattr("labkit.live.actions.TUNE_S", 3600.0)
    panel.press("tune").set(knob=5).wait(120)
    assert (panel.state["knob"], panel.state["tuned"]) == (5, False)
