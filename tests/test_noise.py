"""MNIST with noise: the digits are MNIST's, the noise is what its equation says, and it never changes."""

import numpy as np
import torch
from scipy.stats import kstest

from labkit import data, noise


def test_the_splits_have_their_sizes_and_no_picture_twice():
    loaded = data.load("MNIST-noise")
    assert [len(loaded.train), len(loaded.validation), len(loaded.test)] == list(noise.SIZES)
    assert loaded.image_shape == (1, 28, 28) and loaded.train.images.dtype == torch.uint8
    pixels = loaded.normalise(loaded.train.images[:2000])
    assert abs(pixels.mean()) < 0.02 and abs(pixels.std() - 1) < 0.02
    # What was made yesterday is made today, on every machine.
    assert loaded.train.labels[:8].tolist() == [4, 1, 7, 2, 0, 9, 6, 1]


def test_white_pixels_stay_white_and_noise_lies_behind_the_black_ones():
    images = data.load("MNIST").test.images[:200]
    noisy = noise.behind(images)
    assert torch.equal(noisy[images == 255], images[images == 255]) and bool((noisy >= images).all())
    grey = noisy[images == 0].double() / 255
    assert abs(grey.mean() - 0.5) < 0.02 and abs(grey.std() - 12**-0.5) < 0.02  # uniform from 0 to 1
    assert torch.equal(noise.behind(images), noisy) and not torch.equal(noise.behind(images, seed=1), noisy)


def test_smoothed_noise_is_gaussian_with_the_correlation_of_its_kernel():
    made = noise.smooth(np.random.RandomState(0).standard_normal((4000, 28, 28)), 1.0)
    assert kstest(made[:, 3, 5], "norm").pvalue > 1e-3
    # Two Gaussians of variance 1, a distance d apart, overlap to exp(-d^2 / 4).
    for distance in (1, 2, 3):
        found = np.corrcoef(made[:, 5, 5], made[:, 5, 5 + distance])[0, 1]
        assert abs(found - np.exp(-(distance**2) / 4)) < 4 / 4000**0.5


def test_a_width_of_zero_leaves_white_noise():
    white = np.random.RandomState(0).standard_normal((3, 28, 28))
    assert np.array_equal(noise.smooth(white, 0.0), white)
