"""The zoo's networks have the parameters of the papers, and its checkpoints keep their promises."""

import hashlib
import json
import shutil

import pytest
import torch

from labkit import zoo
from labkit.data import load as load_data
from labkit.layers import layers


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("LeNet-300-100", 266_610),
        ("LeNet-5", 431_080),
        ("VGG", 584_618),
        ("ResNet-20", 272_186),
        ("MLP-3x512", 784 * 512 + 2 * 512 * 512 + 512 * 10 + 2 * (3 * 512 + 10)),
        ("MLP-1000", 785 * 1000 + 1001 * 10),
        ("Z2CNN", 180 + 5 * 3600 + 6 * 40 + 3210),
        ("P4CNN", 360 + 5 * 14_400 + 6 * 80 + 40 * 641),
        ("P4CNN-pooled", 720 + 5 * 14_400 + 6 * 160 + 40 * 321),
    ],
)
def test_parameters(name, parameters):
    assert zoo.parameters(zoo.build(name)) == parameters


@pytest.mark.parametrize("name", zoo.NETWORKS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_every_network_takes_both_kinds_of_pictures(name, shape):
    network = zoo.build(name, shape, 7).eval()
    assert network(torch.zeros(2, *shape)).shape == (2, 7)
    assert network.origin == (name, shape, 7)


@pytest.mark.parametrize("entry", zoo.available(), ids=lambda entry: "-".join(filter(None, entry)))
def test_each_checkpoint_is_the_one_on_its_card(entry):
    card = zoo.card(*entry)
    assert hashlib.sha256(zoo.checkpoint(*entry).read_bytes()).hexdigest() == card["sha256"]
    network, data = zoo.load(*entry), load_data(entry[1])
    part = data.test.take(slice(0, 2000))
    with torch.inference_mode():
        right = sum(
            (network(data.normalise(part.images[start : start + 200])).argmax(1) == part.labels[start : start + 200])
            .sum()
            .item()
            for start in range(0, 2000, 200)
        )
    # 2,000 of the card's 10,000 pictures: five standard errors of a share near 0.93 are 2.9 points.
    assert abs(right / 2000 - card["accuracy"]["test"]) < 0.029


TARGETS = {
    ("LeNet-300-100", "MNIST", ""): 0.990,
    ("LeNet-5", "MNIST", ""): 0.9935,
    ("LeNet-300-100", "FashionMNIST", ""): 0.90,
    ("LeNet-5", "FashionMNIST", ""): 0.915,
    ("VGG", "FashionMNIST", ""): 0.935,
    ("ResNet-20", "FashionMNIST", ""): 0.935,
    ("Z2CNN", "MNIST-rotated", ""): 0.945,
    ("P4CNN", "MNIST-rotated", ""): 0.975,
}


@pytest.mark.parametrize("entry", TARGETS, ids=lambda entry: "-".join(filter(None, entry)))
def test_the_shipped_networks_are_good(entry):
    assert zoo.card(*entry)["accuracy"]["test"] >= TARGETS[entry]


@pytest.mark.parametrize("name", ["LeNet-300-100", "LeNet-5"])
def test_plain_networks_start_where_the_papers_do(name):
    published = {"LeNet-300-100": 0.9836, "LeNet-5": 0.9920}[name]
    assert abs(zoo.card(name, "MNIST", "plain")["accuracy"]["test"] - published) < 0.003


def test_a_damaged_checkpoint_says_what_to_do(tmp_path):
    source = zoo.checkpoint("LeNet-300-100", "MNIST")
    (tmp_path / "MNIST").mkdir()
    shutil.copy(source.with_suffix(".json"), tmp_path / "MNIST")
    target = tmp_path / "MNIST" / source.name
    for content in (b"", source.read_bytes()[:1000], b"\xff" * 100):
        target.write_bytes(content)
        with pytest.raises(ValueError, match="is damaged.*labkit train LeNet-300-100"):
            zoo.load("LeNet-300-100", "MNIST", root=tmp_path)


def test_one_flipped_bit_is_noticed(tmp_path):
    source = zoo.checkpoint("LeNet-300-100", "MNIST")
    (tmp_path / "MNIST").mkdir()
    shutil.copy(source.with_suffix(".json"), tmp_path / "MNIST")
    content = bytearray(source.read_bytes())
    content[-1] ^= 1
    (tmp_path / "MNIST" / source.name).write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        zoo.load("LeNet-300-100", "MNIST", root=tmp_path)


def test_a_missing_network_lists_what_there_is(tmp_path):
    (tmp_path / "MNIST").mkdir()
    (tmp_path / "MNIST" / "LeNet-5.json").write_text(json.dumps({"network": "LeNet-5", "data": "MNIST", "variant": ""}))
    with pytest.raises(FileNotFoundError, match="there are LeNet-5 MNIST"):
        zoo.load("VGG", "MNIST", root=tmp_path)
    with pytest.raises(ValueError, match="LeNet-300-100, LeNet-5, VGG, VGG-wide, ResNet-20"):
        zoo.build("AlexNet")


def test_loaded_networks_hold_weights_and_evaluate():
    network = zoo.load("LeNet-300-100", "MNIST")
    assert list(layers(network)) == ["fc1", "fc2", "fc3"] and not network.training
