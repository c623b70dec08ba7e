"""Digits turned by any angle: against scipy, with the right splits, and the same on every machine."""

import numpy as np
import pytest
import scipy.ndimage
import torch
from scipy.stats import kstest

from labkit import data, rotated


def test_the_splits_have_their_sizes_and_never_change():
    loaded = data.load("MNIST-rotated")
    assert [len(loaded.train), len(loaded.validation), len(loaded.test)] == [12_000, 2_000, 50_000]
    assert loaded.image_shape == (1, 28, 28) and loaded.train.images.dtype == torch.uint8
    pixels = loaded.normalise(loaded.train.images[:2000])
    assert abs(pixels.mean()) < 0.02 and abs(pixels.std() - 1) < 0.02
    assert loaded.train.labels[:8].tolist() == [4, 1, 7, 2, 0, 9, 6, 1]


@pytest.mark.parametrize("angle", [10.0, 90.0, 137.0, 300.0])
def test_pictures_turn_as_scipy_turns_them(angle):
    images = data.load("MNIST").test.images[:20].float()
    expected = scipy.ndimage.rotate(images.numpy(), angle, axes=(2, 3), reshape=False, order=1)
    for degrees in (angle, torch.full((20,), angle)):
        np.testing.assert_allclose(rotated.turned(images, degrees), expected, atol=0.05)


def test_quarter_turns_are_exact_and_four_of_them_give_the_picture_back():
    images = torch.rand(3, 2, 9, 9)
    assert torch.equal(rotated.turned(images, 90), torch.rot90(images, 1, (2, 3)))
    assert torch.equal(rotated.turned(images, -90), torch.rot90(images, 3, (2, 3)))
    once = images
    for _ in range(4):
        once = rotated.turned(once, 90)
    assert torch.equal(once, images)
    torch.testing.assert_close(rotated.turned(images, torch.tensor([90.0] * 3)), rotated.turned(images, 90))


def test_each_picture_has_an_angle_of_its_own_from_all_round():
    bar = torch.zeros(400, 1, 29, 29)
    bar[:, :, 14, 14:] = 255  # from the middle to the right
    found = rotated.scattered(bar.to(torch.uint8)).double()
    ys, xs = torch.meshgrid(torch.arange(29.0) - 14, torch.arange(29.0) - 14, indexing="ij")
    angles = torch.atan2(-(found[:, 0] * ys).sum((1, 2)), (found[:, 0] * xs).sum((1, 2))) / (2 * torch.pi) % 1
    assert kstest(angles.numpy(), "uniform").pvalue > 1e-3
    assert torch.equal(rotated.scattered(bar.to(torch.uint8)).double(), found)
    assert not torch.equal(rotated.scattered(bar.to(torch.uint8), seed=1).double(), found)


def test_only_some_classes_and_few_pictures():
    small = data.load("MNIST").only(6, 9)
    assert set(small.validation.labels.tolist()) == {6, 9} and len(small.classes) == 10
    assert len(small.test) == int(torch.isin(data.load("MNIST").test.labels, torch.tensor([6, 9])).sum())
    assert len(small.few(100).train) == 100 and len(small.few(100).test) == len(small.test)
