"""Pictures move and are mirrored at random, and lose nothing else."""

import torch

from labkit.augment import augment
from labkit.data import Split


def test_pictures_move_by_at_most_the_shift_and_lose_nothing_else():
    images = torch.zeros(200, 1, 9, 9, dtype=torch.uint8)
    images[:, 0, 4, 4] = 255
    moved = augment(Split(images, torch.zeros(200)), 2, False, torch.Generator().manual_seed(0)).images
    _, _, rows, columns = torch.nonzero(moved, as_tuple=True)
    assert len(rows) == 200 and set(rows.tolist()) == set(columns.tolist()) == {2, 3, 4, 5, 6}


def test_about_half_of_the_pictures_are_mirrored():
    images = torch.zeros(1000, 1, 1, 2, dtype=torch.uint8)
    images[:, 0, 0, 0] = 1
    mirrored = augment(Split(images, torch.zeros(1000)), 0, True, torch.Generator().manual_seed(0)).images
    assert 430 < int(mirrored[:, 0, 0, 1].sum()) < 570  # five standard errors are 79
