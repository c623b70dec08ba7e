"""A network in ONNX computes what it computes in PyTorch, for every kind of weight and any number of pictures."""

import logging
import subprocess
import sys

import onnx
import pytest
import torch
from torch import nn

from labkit import adopt, layers, zoo
from labkit.lowrank import SVD
from labkit.pruning import Magnitude
from labkit.quantization import KMeans
from labkit.runtime import Session, export
from tests.networks import SHAPE, fashion, pictures


@torch.inference_mode()
def check(model: nn.Module, path, shape=SHAPE) -> None:
    """Compare logits with those of the network itself, alone and in an odd batch."""
    session = Session(path)
    for count in (1, 7):
        images = pictures(count, shape)
        torch.testing.assert_close(session(images), model.eval()(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["LeNet-5", "VGG", "ResNet-20"])
def test_logits_are_pytorchs(name, tmp_path):
    model, path = zoo.load(name), tmp_path / "net.onnx"
    assert export(model, SHAPE, path) == path.stat().st_size
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]  # the weights are inside
    check(model, path)
    data = fashion(200)
    images = data.normalise(data.validation.images)
    with torch.inference_mode():
        assert torch.equal(Session(path).predict(images), model(images).argmax(1))


@pytest.mark.parametrize(("name", "pools"), [("VGG", 3), ("LeNet-5", 2)])
def test_the_graph_has_only_the_operations_of_the_network(name, pools, tmp_path):
    export(zoo.build(name), SHAPE, tmp_path / "net.onnx")
    nodes = [node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node]
    assert set(nodes) == {"Conv", "Gemm", "MaxPool", "Relu", "Reshape"}  # batch normalisation is folded
    assert nodes.count("MaxPool") == pools


def compressed(kind: str) -> nn.Module:
    model = zoo.load("LeNet-5")
    if kind == "low rank":
        knob = SVD().prepare(model).knob
        return SVD().prepare(model).at(knob.values[len(knob.values) // 2])
    if kind == "clustered":
        return KMeans().prepare(model).at(3)
    pruned = Magnitude().prepare(model).at(0.9)
    return KMeans().prepare(pruned).at(4) if kind == "pruned, then clustered" else pruned


@pytest.mark.parametrize("kind", ["pruned", "clustered", "pruned, then clustered", "low rank"])
def test_a_compressed_network_keeps_its_logits(kind, tmp_path):
    model = compressed(kind)
    export(model, SHAPE, tmp_path / "net.onnx")
    check(model, tmp_path / "net.onnx")


def test_thin_products_stay_thin(tmp_path):
    thin = SVD().prepare(adopt(zoo.build("LeNet-300-100"))).at(11)
    assert export(thin, SHAPE, tmp_path / "thin.onnx") < 4 * (11 * (784 + 300 + 300 + 100) + 410 + 1000) + 3000


class Branching(nn.Module):
    """Its path depends on the number of pictures, so torch.fx cannot follow it, but an exporter can."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x):
        x = self.one(x.flatten(1))
        return self.two(x if x.shape[0] < 1 else x.tanh())


def test_a_network_that_cannot_be_folded_is_exported_dense(tmp_path):
    model = KMeans().prepare(adopt(Branching())).at(2)
    export(model, (1, 2, 3), tmp_path / "net.onnx")
    check(model, tmp_path / "net.onnx", (1, 2, 3))
    kinds = {node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node}
    assert "Gather" not in kinds  # the codebook is not looked up at every call


def test_strides_groups_and_circular_padding(tmp_path):
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 2 * 3, 3),
    )
    net(pictures(8, (2, 9, 13)))  # in training mode: gives batch normalisation its statistics
    export(net, (2, 9, 13), tmp_path / "net.onnx")
    check(net, tmp_path / "net.onnx", (2, 9, 13))


def test_exporting_is_silent_and_leaves_nothing(tmp_path, scratch, capfd):
    handlers, level = list(logging.root.handlers), logging.root.manager.disable
    export(zoo.build("LeNet-5"), SHAPE, tmp_path / "net.onnx")
    assert capfd.readouterr() == ("", "")
    assert (logging.root.handlers, logging.root.manager.disable) == (handlers, level)
    assert list(scratch.iterdir()) == []


def test_the_model_is_left_as_it_was(tmp_path):
    model = zoo.load("LeNet-5").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export(model, SHAPE, tmp_path / "net.onnx")
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert layers.layers(model)["conv1"].weight.values.requires_grad


def test_the_same_network_gives_the_same_bytes_and_none_of_this_machine(tmp_path):
    for name in ("a", "b"):
        export(zoo.load("LeNet-300-100"), SHAPE, tmp_path / name)
    content = (tmp_path / "a").read_bytes()
    assert content == (tmp_path / "b").read_bytes()
    assert all(word not in content for word in (b"site-packages", b"labkit", b".py"))


class Deciding(nn.Module):
    """Its path depends on what is in the pictures."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(x) if x.sum() > 0 else -self.fc(x)


def test_what_cannot_be_exported_is_said_in_one_sentence(tmp_path, capfd):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="cannot be exported .*: use layers that ONNX knows") as caught:
        export(Deciding(), (4,), path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"cannot run pictures of shape \(3, 32, 32\)"):
        export(zoo.build("LeNet-5"), (3, 32, 32), path)
    assert capfd.readouterr() == ("", "")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("net.onnx", b"before")]


def test_labkit_alone_imports_neither_onnx_nor_its_runtime():
    code = "import labkit, sys; sys.exit(any(name.startswith('onnx') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
