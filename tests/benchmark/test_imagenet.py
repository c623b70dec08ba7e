"""`labkit imagenet` counts, cuts, resumes and refuses, on a few made-up pictures and networks without training."""

from __future__ import annotations

import itertools
import json
import pickle
from argparse import Namespace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from labkit import layers, macs, storage
from labkit.__main__ import main
from labkit._torchvision import torchvision
from labkit.benchmark import catalogue, imagenet, imagenet_cut, imagenet_files
from labkit.weights import Dense

CLASSES = ("n00000001", "n00000002", "n00000003")
EACH = 4


class Small(nn.Sequential):
    """A network that takes ImageNet's pictures, with as many classes as there are folders here."""

    def __init__(self, weights=None, num_classes=3):
        super().__init__(
            nn.Conv2d(3, 16, 3, 8), nn.ReLU(), nn.Conv2d(16, 24, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(24, num_classes),
        )  # fmt: skip


@pytest.fixture
def folder(tmp_path) -> Path:
    """Made-up pictures of several sizes and colours."""
    random = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (tmp_path / "val" / name).mkdir(parents=True)
        for index in range(EACH):
            pixels = random.integers(0, 120, (260 + 40 * index, 300, 3)) + 60 * label
            mode = "L" if index == 3 else "RGB"  # ImageNet has grey pictures too
            Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(tmp_path / "val" / name / f"{index}.JPEG")
    return tmp_path / "val"


@pytest.fixture
def small(tmp_path, monkeypatch) -> Path:
    """The weights of a small network in the place of AlexNet's, and three classes in the place of 1,000."""
    monkeypatch.setattr(torchvision("models"), "alexnet", Small)
    monkeypatch.setattr(imagenet, "network", partial(imagenet_files.network, classes=3))
    monkeypatch.setattr(imagenet, "pictures", partial(imagenet_files.pictures, classes=3))
    torch.manual_seed(0)
    save_file(Small().state_dict(), tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


def options(weights, images, results, **more) -> Namespace:
    usual = {"method": ["lowrank.Spatial"], "compression": 2.0, "limit": None, "batch": 5, "device": "cpu"}
    return Namespace(network="alexnet", weights=weights, images=images, results=results, **usual | more)


def test_the_table_is_what_plain_code_counts(folder, small, tmp_path):
    table = imagenet.run(options(small, folder, tmp_path / "results"))
    dense, spatial, *published = table.rows
    model = Small()
    model.load_state_dict(load_file(small))
    see = torchvision("models").AlexNet_Weights.DEFAULT.transforms()
    right = 0
    for label, name in enumerate(CLASSES):
        for path in (folder / name).iterdir():
            answer = model.eval()(see(Image.open(path).convert("RGB"))[None]).argmax(1)
            right += int(answer) == label
    assert dense[1][0] == f"{100 * right / 12:.2f} %" and dense[2][0] == "100.00 %", "five of three classes"
    assert dense[3][0] == dense[4][0] == dense[5][0] == "1.00×"
    assert float(spatial[4][0][:-1]) >= 2 and float(spatial[5][0][:-1]) > 1
    assert [row[0][0] for row in published] == [
        "AlexNet, published",
        "BN low-rank, published",
        "CP low-rank, published",
    ]
    assert published[1][2][0] == "80.56 % [S]" and published[2][3][0] == "1.82 times the speed [S]"
    assert "not trained" not in table.note and "trained after they were cut, ours were not" in table.note


def test_a_cut_keeps_its_budget_and_is_the_methods_own(folder, small, tmp_path):
    dense = imagenet.network("alexnet", small)
    for method in imagenet_cut.METHODS:
        model = imagenet_cut.compressed(dense, method, 2.0, tmp_path / method)
        for path, leaf in imagenet_cut.convolutions(dense).items():
            new = model.get_submodule(path)
            assert new.shape == leaf.shape and imagenet_cut.count(new) <= imagenet_cut.count(leaf) / 2
            one = imagenet_cut.count(catalogue.make(method, {}).fit(leaf).at(1))
            assert imagenet_cut.count(new) + one > imagenet_cut.count(leaf) / 2, "one rank more would not fit"
        assert model.get_submodule("5").weight is dense.get_submodule("5").weight, "the rest takes no memory twice"
        assert storage.size(model).total < storage.size(dense).total
        fewer = macs.macs(model, (3, 224, 224)) < macs.macs(dense, (3, 224, 224))
        assert fewer == (method != "lowrank.CP"), "CP mixes the channels of all pixels before a stride leaves most out"


def test_the_limit_of_cp_is_lifted_for_the_large_kernels():
    """A kernel of 512 x 512 needs hundreds of components; the panel's slider ends at 64."""
    leaf = Dense(torch.randn(20, 20, 3, 3, generator=torch.Generator().manual_seed(0)))
    limited, free = (catalogue.make("lowrank.CP", arguments) for arguments in ({"most": 2}, {"most": 10**6}))
    assert (limited.fit(leaf).top, free.fit(leaf).top) == (2, 78) and limited.fit(leaf).at(3) is None
    assert imagenet_cut.cut(leaf, "lowrank.CP", 1.05).u.shape == (20, 74)
    with pytest.raises(ValueError, match="most is 0, but must be at least 1"):
        catalogue.make("lowrank.CP", {"most": 0})


def test_a_stopped_run_goes_on_where_it_was(folder, small, tmp_path, monkeypatch):
    monkeypatch.setattr(imagenet, "CHUNK", 5)
    batch, asked = imagenet_files.Pictures.batch, []

    def stopping(self, begin, end):
        asked.append((begin, end))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return batch(self, begin, end)

    monkeypatch.setattr(imagenet_files.Pictures, "batch", stopping)
    line = ["imagenet", "--network", "alexnet", "--weights", str(small), "--images", str(folder), "--batch", "5"]
    line += ["--compression", "2", "--results", str(tmp_path / "results")]
    assert main(line) == 1
    assert main(line) == 0
    assert asked == [(0, 5), (5, 10), *[(5, 10), (10, 12)], *[(0, 5), (5, 10), (10, 12)]]
    before, stamps = list(asked), [path.stat().st_mtime_ns for path in (tmp_path / "results").glob("*/*")]
    whole = imagenet.run(options(small, folder, tmp_path / "results"))
    assert asked == before, "all is done"
    assert stamps == [path.stat().st_mtime_ns for path in (tmp_path / "results").glob("*/*")] and len(stamps) == 2
    assert whole.rows == imagenet.run(options(small, folder, tmp_path / "results")).rows, "and its time stays"
    fresh = imagenet.run(options(small, folder, tmp_path / "other"))
    assert [row[:3] for row in whole.rows] == [row[:3] for row in fresh.rows]
    records = [json.loads(one) for one in (tmp_path / "results" / "alexnet.jsonl").read_text().splitlines()]
    assert [one["pictures"] for one in records if "pictures" in one] == [5, 10, 12, 5, 10, 12]


def test_a_limit_takes_pictures_of_all_kinds(folder):
    of = imagenet_files.pictures(folder, classes=3)
    _, labels = of.batch(0, 6)
    assert len(set(labels.tolist())) == 3
    assert of.order == imagenet_files.pictures(folder, classes=3).order and sorted(of.order) == list(range(12))
    images, labels = of.batch(0, 12)
    assert images.shape == (12, 3, 224, 224) and sorted(labels.tolist()) == sorted([0, 1, 2] * EACH)


def test_other_pictures_or_weights_begin_anew(folder, small, tmp_path):
    results = tmp_path / "results"
    imagenet.run(options(small, folder, results, limit=3))
    torch.manual_seed(1)
    save_file(Small().state_dict(), tmp_path / "other.safetensors")
    imagenet.run(options(tmp_path / "other.safetensors", folder, results, limit=3))
    (folder / CLASSES[0] / "0.JPEG").rename(folder / CLASSES[0] / "9.JPEG")
    imagenet.run(options(small, folder, results, limit=3))
    keys = {json.loads(one)["key"] for one in (results / "alexnet.jsonl").read_text().splitlines()}
    assert len(keys) == 6


def test_torchvisions_own_networks_take_a_file_of_theirs(tmp_path):
    """AlexNet with 57 million zeros, which a sparse file holds without a byte on the disk."""
    with torch.device("meta"):
        state = torchvision("models").alexnet(num_classes=3).state_dict()
    ends = list(itertools.accumulate(4 * tensor.numel() for tensor in state.values()))
    header = {
        name: {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [end - 4 * tensor.numel(), end]}
        for (name, tensor), end in zip(state.items(), ends, strict=True)
    }
    text = json.dumps(header).encode()
    path = tmp_path / "alexnet.safetensors"
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + ends[-1])
    model = imagenet_files.network("alexnet", path, classes=3)
    kernels = imagenet_cut.convolutions(model)
    assert len(layers.layers(model)) == 8 and list(kernels) == [f"features.{n}.weight" for n in (0, 3, 6, 8, 10)]
    with pytest.raises(ValueError, match="does not hold the weights of vgg16"):
        imagenet_files.network("vgg16", path, classes=3)
    with pytest.raises(ValueError, match="does not hold the weights of alexnet"):
        imagenet_files.network("alexnet", path)


def test_mistakes_are_said_in_a_sentence(folder, small, tmp_path, capsys):
    def said(**more) -> str:
        given = {"weights": small, "images": folder, "results": tmp_path / "results"} | more
        words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        assert main(["imagenet", "--network", "alexnet", *words]) == 1
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("labkit: ") and "\n" not in error
        return error

    assert "is no folder: give ImageNet's validation pictures in 3 folders" in said(images=tmp_path / "nowhere")
    assert "has 0 folders" in said(images=folder / CLASSES[0])
    assert "compression is 0.5, but must be at least 1" in said(compression=0.5)
    assert "compression is nan" in said(compression="nan")
    assert "device 'abacus' is not on this machine" in said(device="abacus")
    assert "cannot be read" in said(weights=tmp_path / "missing.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(small.read_bytes()[:100])
    assert "cannot be read" in said(weights=tmp_path / "torn.safetensors")
    save_file({"0.weight": torch.ones(2)}, tmp_path / "wrong.safetensors")
    assert "does not hold the weights of alexnet" in said(weights=tmp_path / "wrong.safetensors")
    (folder / CLASSES[1] / "1.JPEG").write_bytes(b"no picture")
    assert "1.JPEG is no whole picture" in said()
    (folder / "cats").mkdir()
    assert "has a folder 'cats'" in said()


def test_no_pickle_is_loaded(folder, tmp_path, capsys):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    for name in ("weights.pth", "weights.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
        line = ["imagenet", "--network", "alexnet", "--weights", str(tmp_path / name), "--images", str(folder)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(imagenet, "pictures", partial(imagenet_files.pictures, classes=3))
            assert main([*line, "--results", str(tmp_path / "results")]) == 1
        assert not (tmp_path / "exploded").exists()
    assert "no pickle is loaded" in capsys.readouterr().err


def test_words_that_make_no_sense_are_refused(capsys):
    for wrong in (["--limit", "0"], ["--batch", "-1"], ["--method", "lowrank.Tucker2"], ["--network", "resnet18"]):
        with pytest.raises(SystemExit):
            main(["imagenet", "--network", "alexnet", "--weights", "w", "--images", "i", *wrong])
    assert "is no whole number from 1 on" in capsys.readouterr().err


def test_the_order_of_top_five():
    answers = torch.arange(10.0).flip(0).expand(6, 10)
    assert imagenet.hits(nn.Identity(), answers, torch.arange(6)).tolist() == [1, 5]
