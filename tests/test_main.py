"""The command line says in one sentence what is wrong, and hands its words on."""

from __future__ import annotations

import pytest

from labkit import __main__ as command
from labkit import checkpoints, zoo
from labkit.course import build
from labkit.train import Progress


def test_train_shows_progress_and_what_was_reached(monkeypatch, capsys):
    def train(network, data, variant, device):
        assert (network, data, variant, device) == ("LeNet-5", "MNIST", "plain", "cpu")
        yield Progress(50, 100, 0, 0.5, 0.8, 0.1)
        yield Progress(100, 100, 1, 0.25, 0.9, 0.0)

    monkeypatch.setattr(checkpoints, "train", train)
    monkeypatch.setattr(zoo, "card", lambda *names: {"accuracy": {"validation": 0.9912, "test": 0.99}})
    assert command.main(["train", "LeNet-5", "--data", "MNIST", "--variant", "plain"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "LeNet-5 on MNIST: validation 99.12 %, test 99.00 %\n"
    assert "100/100" in shown.err and "loss=0.250" in shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "LeNet-5", "--variant", "fancy"], "no recipe is known for LeNet-5 FashionMNIST fancy"),
        (["train", "LeNet-5", "--device", "abacus"], "device 'abacus' is not on this machine"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, said, capsys):
    assert command.main(arguments) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("labkit: ") and said in last


@pytest.mark.parametrize("error", [KeyboardInterrupt(), FloatingPointError("training diverged"), OSError("disk full")])
def test_no_traceback_reaches_the_learner(error, monkeypatch, capsys):
    def train(*arguments, **named):
        raise error
        yield

    monkeypatch.setattr(checkpoints, "train", train)
    assert command.main(["train", "VGG"]) == 1
    assert (str(error) or "goes on after the last whole epoch") in capsys.readouterr().err


def test_a_typo_is_refused(capsys):
    for wrong in (["train", "LeNet-6"], ["train", "LeNet-5", "--epoch", "3"], ["bake"]):
        with pytest.raises(SystemExit) as stop:
            command.main(wrong)
        assert stop.value.code == 2


def test_build_gets_the_rest_of_the_line(monkeypatch):
    monkeypatch.setattr(build, "main", lambda arguments: 40 + len(arguments))
    assert command.main(["build", "--check", "--no-site"]) == 42
