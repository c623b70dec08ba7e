"""The shipped smallest files are what their cards say, reach their aims, and can be made."""

import hashlib
import json
from dataclasses import asdict, replace
from statistics import mean

import pytest
import torch
from scipy.stats import binomtest

import labkit
from labkit import data, zoo
from labkit.__main__ import main
from labkit.benchmark import paired, published, smallest
from labkit.benchmark.aims import AIMS
from labkit.storage import FileError
from labkit.train import Recipe

SHIPPED = [(name, seed) for name in AIMS for seed in smallest.SEEDS]


def card(name, seed):
    return json.loads(smallest.path(name, seed).with_suffix(".json").read_text())


@pytest.mark.parametrize(("name", "seed"), SHIPPED)
def test_a_shipped_file_is_the_one_on_its_card(name, seed):
    path, about = smallest.path(name, seed), card(name, seed)
    content = path.read_bytes()
    assert about["sha256"] == hashlib.sha256(content).hexdigest()
    assert about["bytes"] == len(content) == labkit.size(labkit.load(path)).total
    assert about["dense_bytes"] == 4 * zoo.parameters(zoo.build(AIMS[name].network))
    # What a card does not say of a recipe is as usual: recipes get new fields.
    stages = {stage: asdict(Recipe(**about["recipe"][stage])) for stage in ("pruning", "sharing")}
    assert about["recipe"] | stages == json.loads(json.dumps(asdict(AIMS[name])))
    assert (about["aim"], about["seed"]) == (name, seed)


@pytest.mark.parametrize(("name", "seed"), SHIPPED)
def test_a_shipped_file_has_as_many_right_as_its_card_says(name, seed):
    images = data.load("MNIST")
    split = "validation" if AIMS[name].network == "LeNet-5" and seed else "test"
    found = paired.right(smallest.load(name, seed), images, split)
    assert int(found.sum()) == card(name, seed)["results"][split]["right"]


def error(name, split, who="right"):
    counted = [each["results"][split] for each in smallest.cards(name)]
    assert len(counted) == len(smallest.SEEDS)
    return mean(100 * (1 - each[who] / each["images"]) for each in counted)


def chance(name, split):
    """How likely so many more pictures go wrong in the files of all seeds than in their dense starts."""
    counted = [each["results"][split] for each in smallest.cards(name)]
    gained, lost = (sum(each[who] for each in counted) for who in ("only_right", "only_other_right"))
    return binomtest(gained, gained + lost, alternative="less").pvalue


@pytest.mark.parametrize("name", [name for name in AIMS if name.endswith("no-loss")])
def test_no_loss_is_none_on_test_and_none_that_chance_does_not_explain_on_validation(name):
    assert error(name, "test") <= error(name, "test", "other_right") + 1e-9
    assert chance(name, "validation") > 0.2
    assert all(each["bytes"] <= each["dense_bytes"] / 100 for each in smallest.cards(name))


def test_the_error_of_the_paper_is_met_on_both_splits():
    name = "LeNet-300-100-paper-error"
    (stated,) = published.rows(paper="han2016", network="LeNet-300-100", table="1")
    assert max(error(name, "validation"), error(name, "test")) <= stated.error_percent
    assert all(each["bytes"] <= each["dense_bytes"] / 230 for each in smallest.cards(name))


def test_the_table_shows_every_aim_beside_the_paper():
    table = smallest.table()
    assert len(table.rows) == len(AIMS) and "not run" not in str(table)
    for name, row in zip(AIMS, table.rows, strict=True):
        (stated,) = published.rows(paper="han2016", network=AIMS[name].network, table="1")
        assert row[1][0] == f"{stated.error_percent:g} % [S], {stated.ratio:g}× [S]"
        assert row[2][0] == f"{error(name, 'test'):.2f} %"
        assert row[4][0] == f"{mean(each['bytes'] for each in smallest.cards(name)):,.0f}"
    assert "labkit.load('data/smallest/" in table.note


def test_a_file_is_made_again_to_the_byte_and_an_unfinished_run_goes_on(tmp_path, monkeypatch):
    whole = data.load("MNIST")
    part, seen = whole.train.take(slice(0, 4000)), whole.validation.take(slice(0, 500))
    monkeypatch.setattr(smallest, "load_data", lambda name: replace(whole, train=part, validation=seen, test=seen))
    short = Recipe(epochs=2, learning_rate=0.02, batch=100)
    aim = replace(AIMS["LeNet-300-100-no-loss"], density=0.05, pruning=short, sharing=short, teacher="")
    monkeypatch.setitem(AIMS, "short", aim)
    monkeypatch.setattr(smallest, "start", lambda aim, seed, stages: zoo.load(aim.network, "MNIST"))
    said = []
    first = smallest.make("short", 1, tmp_path / "one", said.append)
    assert [line.split(": ")[1].split(" ")[0] for line in said] == ["the", "pruning", "training"]
    (shared,) = (tmp_path / "one" / smallest.STAGES).glob("*shared*")
    shared.unlink()  # as if the run had been stopped
    smallest.path("short", 1, tmp_path / "one").unlink()
    said.clear()
    again = smallest.make("short", 1, tmp_path / "one", said.append)
    assert [line.split(": ")[1].split(" ")[0] for line in said] == ["the", "training"]
    assert again == first == smallest.cards("short", tmp_path / "one")[0]
    other = smallest.make("short", 2, tmp_path / "one", said.append)
    assert other["sha256"] != first["sha256"]
    model = smallest.load("short", 1, tmp_path / "one")
    assert model(torch.zeros(1, 1, 28, 28)).shape == (1, 10)
    assert first["results"]["validation"]["right"] > 400


def test_mistakes_are_said_in_a_sentence(tmp_path, capsys):
    with pytest.raises(ValueError, match="the aim 'VGG' does not exist: choose one of"):
        smallest.load("VGG")
    with pytest.raises(FileError, match="cannot be loaded"):
        smallest.load(next(iter(AIMS)), 0, tmp_path)
    assert smallest.cards(next(iter(AIMS)), tmp_path) == []
    with pytest.raises(SystemExit):
        main(["smallest", "VGG"])
    assert "invalid choice: 'VGG'" in capsys.readouterr().err


def test_the_command_shows_the_table_where_all_is_there(capsys):
    assert main(["smallest"]) == 0
    assert "The smallest files on MNIST" in capsys.readouterr().out
