"""The control keeps r of m parts of the energy whatever the matrix is, and the SVD keeps more."""

import numpy as np
import pytest
import torch
from torch import nn

from labkit import adopt, storage, zoo
from labkit.benchmark.catalogue import methods
from labkit.lowrank import METHODS, RIVALS, SVD
from labkit.lowrank.rivals import RandomSubspace, random_basis
from labkit.weights import Dense


def energy_kept(method: SVD, weight: torch.Tensor, rank: int) -> float:
    return float(method.fit(Dense(weight)).at(rank)().detach().square().sum() / weight.square().sum())


def test_a_sweep_may_name_the_control_and_no_panel_offers_it():
    assert methods("lowrank")["lowrank.RandomSubspace"] is RandomSubspace
    assert set(RIVALS) & set(METHODS) == set()


def test_a_random_basis_prefers_no_direction():
    draws = 2000
    bases = torch.stack([random_basis(4, seed) for seed in range(draws)])
    assert torch.allclose(bases.mT @ bases, torch.eye(4).expand(draws, 4, 4), atol=1e-5)
    # an entry has the mean 0 and the variance 1 / 4; its square has a variance of less than 2 / 16
    assert bases.mean(0).abs().max() < 5 * (1 / 4 / draws) ** 0.5
    assert (bases.square().mean(0) - 1 / 4).abs().max() < 5 * (2 / 16 / draws) ** 0.5


@pytest.mark.parametrize("fall", [0.0, 2.0])  # noise, and a matrix with much structure
def test_random_directions_keep_r_of_m_parts_of_the_energy_and_an_svd_more(fall):
    torch.manual_seed(0)
    rows, columns, rank, draws = 24, 40, 6, 300
    u, v = random_basis(rows, 1), random_basis(columns, 2)[:rows]
    weight = u * torch.logspace(0, -fall, rows) @ v
    kept = [energy_kept(RandomSubspace(seed), weight, rank) for seed in range(draws)]
    assert np.mean(kept) == pytest.approx(rank / rows, abs=5 * np.std(kept) / draws**0.5 + 1e-5)
    assert energy_kept(SVD(), weight, rank) > (max(kept) if fall else rank / rows - 1e-5)


def test_the_seed_says_which_subspace_and_a_larger_rank_keeps_the_smaller_ones():
    network = zoo.load("LeNet-5")
    one, same, other = (RandomSubspace(seed).prepare(network) for seed in (0, 0, 1))
    assert torch.equal(one.at(8).fc1.weight(), same.at(8).fc1.weight())
    assert not torch.allclose(one.at(8).fc1.weight(), other.at(8).fc1.weight(), atol=1e-3)
    lost = [float((one.at(rank).fc1.weight() - network.fc1.weight()).detach().norm()) for rank in (4, 8, 16, 64)]
    assert lost == sorted(lost, reverse=True)


def test_it_has_the_ranks_of_the_svd_and_comes_back_from_its_file(tmp_path):
    network = zoo.load("LeNet-5")
    curve = RandomSubspace().prepare(network)
    assert curve.knob == SVD().prepare(network).knob
    small = curve.at(16)
    storage.save(small, tmp_path / "small")
    x = torch.randn(2, 1, 28, 28)
    assert torch.allclose(storage.load(tmp_path / "small")(x), small(x), atol=1e-5)


def test_the_picture_draws_the_energy_that_the_first_directions_really_keep():
    network = adopt(nn.Sequential(nn.Linear(30, 20)))
    curve = RandomSubspace(3).prepare(network)
    picture = curve.picture(8, "0")
    kept = energy_kept(RandomSubspace(3), network[0].weight().detach(), 8)
    assert f"rank 8 of 20 keeps {100 * kept:.1f} %" in picture.title and "at random" in picture.text
