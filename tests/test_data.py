"""Splits are fixed, stratified and disjoint; damage and absence are said in one sentence."""

import gzip
import shutil

import numpy as np
import pytest
import torch

from labkit import data


@pytest.mark.parametrize("name", data.SHIPPED)
def test_splits_have_their_sizes_and_every_class_in_its_share(name):
    loaded = data.load(name)
    assert [len(loaded.train), len(loaded.validation), len(loaded.test)] == [55_000, 5_000, 10_000]
    whole = loaded.train.labels.bincount() + loaded.validation.labels.bincount()
    assert torch.allclose(loaded.validation.labels.bincount().float(), whole / 12, atol=1)
    assert loaded.train.images.dtype == torch.uint8


def test_fashion_has_six_thousand_training_pictures_of_each_class():
    loaded = data.load("FashionMNIST")
    assert (loaded.train.labels.bincount() == 5_500).all() and (loaded.test.labels.bincount() == 1_000).all()


@pytest.mark.parametrize("name", data.SHIPPED)
def test_normalised_training_pixels_have_mean_zero_and_deviation_one(name):
    loaded = data.load(name)
    pixels = loaded.normalise(loaded.train.images)
    assert abs(pixels.mean()) < 1e-3 and abs(pixels.std() - 1) < 1e-3


def test_normalise_is_the_equation_it_states():
    loaded = data.load("MNIST")
    images = loaded.test.images[:3]
    expected = (images.double() / 255 - 0.1307) / 0.3081
    assert torch.allclose(loaded.normalise(images).double(), expected, atol=1e-6)


def test_split_off_is_a_partition_that_never_changes():
    labels = torch.from_numpy(np.random.RandomState(1).choice(4, 1000, p=[0.5, 0.3, 0.15, 0.05]))
    whole = data.Split(torch.arange(1000, dtype=torch.int64).view(-1, 1, 1, 1), labels)
    rest, chosen = data.split_off(whole, 100)
    numbers = torch.cat([rest.images.flatten(), chosen.images.flatten()])
    assert sorted(numbers.tolist()) == list(range(1000))
    assert torch.allclose(chosen.labels.bincount().float(), labels.bincount() / 10, atol=1)
    again = data.split_off(whole, 100)[1]
    assert torch.equal(chosen.images, again.images)
    # What was split off yesterday is split off today, on every machine.
    assert data.load("MNIST").validation.labels[:8].tolist() == [8, 2, 3, 6, 1, 4, 7, 8]


def copy_of(name, tmp_path):
    target = tmp_path / name / "raw"
    target.mkdir(parents=True)
    for file in data.IDX:
        shutil.copy(data.ROOT / name / "raw" / f"{file}.gz", target)
    return target


def test_damaged_extracted_files_are_extracted_again(tmp_path):
    raw = copy_of("MNIST", tmp_path)
    (raw / data.IDX[3]).write_bytes(b"rubbish")
    data.load.__wrapped__("MNIST", tmp_path)
    assert data._sha256(raw / data.IDX[3]) == data.SHA256["MNIST"][3]


@pytest.mark.parametrize("damage", ["missing", "truncated", "other"])
def test_a_damaged_archive_is_named_and_leaves_nothing_behind(tmp_path, damage):
    raw = copy_of("MNIST", tmp_path)
    archive = raw / f"{data.IDX[1]}.gz"
    if damage == "missing":
        archive.unlink()
    elif damage == "truncated":
        archive.write_bytes(archive.read_bytes()[:5000])
    else:
        archive.write_bytes(gzip.compress(b"other"))
    with pytest.raises(data.DataError, match="train-labels.*git checkout"):
        data.load.__wrapped__("MNIST", tmp_path)
    left = {path.name for path in raw.iterdir()} - {f"{file}.gz" for file in data.IDX} - set(data.IDX)
    assert not left


def test_without_a_network_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    def refuse(*arguments, **keywords):
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(data.DataError, match="KMNIST is not on this machine.*connect to a network.*MNIST"):
        data.load.__wrapped__("KMNIST", tmp_path)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="'CIFAR' is unknown: choose one of FashionMNIST"):
        data.load("CIFAR")
    with pytest.raises(ValueError, match="train, validation or test"):
        data.load("MNIST").split("valid")
