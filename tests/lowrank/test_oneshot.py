"""The one-shot method takes VBMF's ranks, finds those that were planted, and leaves alone what it cannot tell."""

import pytest
import torch
from torch import nn

import labkit
from labkit import adopt
from labkit.lowrank import SVD, OneShotTucker, Tucker2
from labkit.lowrank.hosvd import hosvd, unfold
from labkit.lowrank.vbmf import vbmf
from labkit.weights import Dense, LowRank
from labkit.weights import Tucker2 as Tucker2Weight


def planted(out, inside, ranks, noise=0.1, seed=0):
    """A kernel of 3 x 3 with Tucker ranks that are known, under noise."""
    random = torch.Generator().manual_seed(seed)
    u, core = torch.randn(out, ranks[0], generator=random), torch.randn(*ranks, 3, 3, generator=random)
    kernel = Tucker2Weight(u, core, torch.randn(ranks[1], inside, generator=random))().detach()
    return kernel + noise * kernel.std() * torch.randn(kernel.shape, generator=random)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = adopt(
        nn.Sequential(nn.Conv2d(1, 24, 3), nn.Conv2d(24, 32, 3), nn.Flatten(), nn.Linear(128, 60), nn.Linear(60, 10))
    )
    network[1].weight = Dense(planted(32, 24, (7, 5)))
    network[3].weight = Dense(torch.randn(60, 6) @ torch.randn(6, 128) + 0.1 * torch.randn(60, 128))
    network[4].weight = Dense(torch.randn(10, 60))
    return network


@pytest.mark.parametrize("ranks", [(7, 5), (4, 12), (10, 3)])
def test_planted_ranks_are_found(ranks):
    for seed in range(5):
        assert OneShotTucker().fit_kernel(planted(32, 24, ranks, seed=seed)).found == ranks


def test_the_cut_is_tucker_2_or_the_svd_at_vbmfs_ranks(network):
    small = OneShotTucker().prepare(network).at(1)
    kernel, matrix = network[1].weight().detach(), network[3].weight().detach()
    ranks = vbmf(unfold(kernel, 0)).rank, vbmf(unfold(kernel, 1)).rank
    assert ranks == (7, 5) and vbmf(matrix).rank == 6
    torch.testing.assert_close(small[1].weight(), Tucker2Weight(*hosvd(kernel).at(ranks))())
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    torch.testing.assert_close(small[3].weight(), (u[:, :6] * s[:6]) @ v[:6], rtol=1e-4, atol=1e-3)


def test_layers_in_which_nothing_stands_out_stay_as_they_are(network):
    curve = OneShotTucker().prepare(network)
    for share in curve.knob.values:
        small = curve.at(share)
        for place in (0, 4):
            assert isinstance(small[place].weight, Dense)
            assert torch.equal(small[place].weight(), network[place].weight())
    assert "left alone, VBMF finds fewer than 2" in curve.picture(1, "0").title
    assert "left alone, VBMF finds fewer than 2" in curve.picture(1, "4").title


def test_a_share_of_the_ranks_grows_to_all_of_them_and_stops_where_it_stores_more(network):
    curve = OneShotTucker().prepare(network)
    kept = [curve.fits["1.weight"].ranks(share) for share in curve.knob.values]
    assert kept == sorted(kept) and kept[0] == (2, 1) and (14, 10) in kept
    assert all(isinstance(curve.at(share)[3].weight, LowRank) for share in (0.25, 1, 3))
    wide = OneShotTucker().fit_kernel(planted(12, 12, (5, 5), noise=0.01))
    assert wide.found == (5, 5) and wide.at(1) is not None and wide.at(3) is None
    assert wide.ranks(3) == (12, 12)


def test_the_pictures_say_what_vbmf_found(network):
    curve = OneShotTucker().prepare(network)
    kernel, matrix = curve.picture(2, "1"), curve.picture(2, "3")
    assert kernel.title.endswith("; VBMF: 7 and 5") and kernel.text.endswith(f"{kernel.title}.")
    assert matrix.title.endswith("; VBMF: 6") and matrix.text.endswith(f"{matrix.title}.")
    assert (kernel.marks.tolist(), matrix.marks.tolist()) == ([14], [12])
    weight = network[1].weight().detach()
    error = (curve.at(2)[1].weight() - weight).square().sum() / weight.square().sum()
    assert kernel.share[13] == pytest.approx(1 - float(error.detach()), abs=1e-5)


def test_it_works_on_what_another_method_left_and_is_saved(network, tmp_path):
    factored = SVD().prepare(network).at(8)
    assert isinstance(factored[1].weight, LowRank)
    small = OneShotTucker().prepare(factored).at(1)
    labkit.save(small, tmp_path / "small")
    x = torch.randn(2, 1, 6, 6)
    torch.testing.assert_close(labkit.load(tmp_path / "small", into=network)(x), small(x))


def test_a_core_is_taken_apart_again(network):
    twice = OneShotTucker().prepare(Tucker2().prepare(network, where="1").at(16), where="1")
    assert "1.weight.core" in twice.fits and twice.at(1)[1].weight().shape == (32, 24, 3, 3)
