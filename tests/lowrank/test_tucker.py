"""Tucker-2 against tensorly, against a plain alternating iteration, and against the bounds of De Lathauwer 2000."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorly.decomposition import partial_tucker
from tensorly.tenalg import multi_mode_dot
from torch import nn

import labkit
from labkit import adopt
from labkit.lowrank import Tucker2
from labkit.lowrank.hosvd import count, hooi, hosvd, unfold
from labkit.weights import Dense
from labkit.weights import Tucker2 as Tucker2Weight

sides = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 3), st.integers(2, 3))


def random_kernel(shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(factors):
    return Tucker2Weight(*factors)().detach()


def squared(difference):
    return float(difference.detach().square().sum())


@given(sides, st.integers(0, 1000), st.data())
@settings(max_examples=60, deadline=None)
def test_a_cut_is_tensorlys_and_keeps_within_its_bounds(shape, seed, data):
    kernel = random_kernel(shape, seed)
    whole = hosvd(kernel)
    ranks = data.draw(st.integers(1, len(whole.s_out))), data.draw(st.integers(1, len(whole.s_in)))
    cut = built(whole.at(ranks))
    core, factors = partial_tucker(kernel.numpy(), ranks, modes=[0, 1], n_iter_max=0)[0]
    np.testing.assert_allclose(cut, multi_mode_dot(core, factors, modes=[0, 1]), atol=1e-10)
    error = squared(kernel - cut)
    tails = [
        np.sum(np.linalg.svd(unfold(kernel, mode).numpy(), compute_uv=False)[rank:] ** 2)
        for mode, rank in enumerate(ranks)
    ]
    assert max(tails) - 1e-9 <= error <= sum(tails) + 1e-9
    assert whole.energy([ranks])[0] == pytest.approx(1 - error / squared(kernel), abs=1e-9)


@given(sides, st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_all_ranks_give_the_kernel_back(shape, seed):
    kernel = random_kernel(shape, seed)
    torch.testing.assert_close(built(hosvd(kernel).at(shape[:2])), kernel)


def alternating(kernel, ranks, iterations):
    """The iteration as the paper writes it, with numpy alone."""
    v = np.linalg.svd(unfold(kernel, 1).numpy())[0][:, : ranks[1]]
    for _ in range(iterations):
        seen = np.einsum("oiyx,is->osyx", kernel, v)
        u = np.linalg.svd(seen.reshape(len(seen), -1))[0][:, : ranks[0]]
        seen = np.einsum("oiyx,or->iryx", kernel, u)
        v = np.linalg.svd(seen.reshape(len(seen), -1))[0][:, : ranks[1]]
    return torch.from_numpy(np.einsum("or,pr,pjyx,js,is->oiyx", u, u, kernel, v, v))


@pytest.mark.parametrize("ranks", [(1, 1), (3, 2), (5, 4)])
@pytest.mark.parametrize("seed", range(4))
def test_orthogonal_iteration_never_loses_and_is_the_alternation(ranks, seed):
    kernel = random_kernel((8, 6, 3, 3), seed)
    start = hosvd(kernel).at(ranks)
    errors = [squared(kernel - built(start))]
    for iterations in (1, 2, 3):
        factors = hooi(kernel, start, iterations)
        errors.append(squared(kernel - built(factors)))
        torch.testing.assert_close(built(factors), alternating(kernel, ranks, iterations))
        assert torch.allclose(factors[0].mT @ factors[0], torch.eye(ranks[0], dtype=torch.float64))
    assert errors == sorted(errors, reverse=True) and errors[-1] < errors[0]


def test_orthogonal_iteration_leaves_its_start_as_it_was():
    start = hosvd(random_kernel((5, 4, 3, 3))).at((2, 2))
    before = [part.clone() for part in start]
    hooi(random_kernel((5, 4, 3, 3)), start, 5)
    assert all(torch.equal(*pair) for pair in zip(start, before, strict=True))


@given(sides)
@settings(max_examples=40, deadline=None)
def test_the_top_rank_is_the_last_that_stores_fewer_numbers(shape):
    fit = Tucker2().fit_kernel(random_kernel(shape).float())
    for rank in range(1, max(shape[:2]) + 2):
        weight = fit.at(rank)
        assert (weight is not None) == (rank <= fit.top)
        if weight is not None:
            stored = sum(p.numel() for p in weight.parameters())
            assert stored == count(shape, fit.clip((rank, rank))) < np.prod(shape)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return adopt(nn.Sequential(nn.Conv2d(12, 16, 3), nn.ReLU(), nn.Conv2d(16, 8, 1), nn.Flatten(), nn.Linear(72, 9)))


def test_kernels_are_taken_apart_and_matrices_cut(network):
    small = Tucker2().prepare(network).at(4)
    assert isinstance(small[0].weight, Tucker2Weight) and small[0].weight.core.shape == (4, 4, 3, 3)
    assert [type(small[place].weight).__name__ for place in (2, 4)] == ["LowRank", "LowRank"]
    dense = adopt(nn.Sequential(nn.Conv2d(12, 16, 3)))
    dense[0].weight = Dense(built(hosvd(network[0].weight().detach()).at((4, 4))))
    dense[0].bias.data = network[0].bias.data
    x = torch.randn(2, 12, 5, 5)
    torch.testing.assert_close(small[0](x), dense[0](x), rtol=1e-4, atol=1e-5)


def test_iterations_lower_the_error_of_a_layer_and_the_picture_says_so(network):
    kernel = network[0].weight()
    plain, better = (Tucker2(iterations).prepare(network, where="0") for iterations in (0, 20))
    errors = [squared(kernel - curve.at(4)[0].weight()) for curve in (plain, better)]
    assert errors[1] < errors[0]
    assert f"keep {100 * (1 - errors[0] / squared(kernel)):.1f} % of" in plain.picture(4, "0").title
    assert f"(HOOI: {100 * (1 - errors[1] / squared(kernel)):.1f} %)" in better.picture(4, "0").title
    assert Tucker2(20).title != Tucker2().title


def test_the_picture_shows_the_cut_and_the_energy_of_both_ranks(network):
    curve = Tucker2().prepare(network, where="0")
    picture, kernel = curve.picture(4, "0"), network[0].weight()
    assert picture.marks.tolist() == [4]
    assert picture.share[3] == pytest.approx(1 - squared(kernel - curve.at(4)[0].weight()) / squared(kernel), abs=1e-5)
    assert picture.share[-1] == pytest.approx(1) and len(picture.share) == len(picture.values)
    uncut = curve.fits["0.weight"].picture(16, "0")
    assert "left alone, ranks 16 and 12" in uncut.title and uncut.marks.tolist() == [16]


def test_a_compressed_network_is_saved_and_loaded_again(network, tmp_path):
    small = Tucker2().prepare(network).at(4)
    labkit.save(small, tmp_path / "small")
    x = torch.randn(2, 12, 5, 5)
    torch.testing.assert_close(labkit.load(tmp_path / "small", into=network)(x), small(x))


def test_wrong_iterations_are_refused_early():
    with pytest.raises(ValueError, match="iterations is -1"):
        Tucker2(-1)


@pytest.mark.parametrize(
    "u, core, v",
    [
        ((4, 2), (3, 1, 3, 3), (1, 5)),
        ((4, 2), (2, 1, 3, 3), (2, 5)),
        ((4, 2), (2, 1, 3), (1, 5)),
        ((4,), (2, 1, 3, 3), (1, 5)),
        ((4, 0), (0, 1, 3, 3), (1, 5)),
    ],
)
def test_factors_that_do_not_fit_are_named(u, core, v):
    with pytest.raises(ValueError, match=r"must be \(out, r_out\), \(r_out, r_in, height, width\) and \(r_in, in\)"):
        Tucker2Weight(torch.ones(u), torch.ones(core), torch.ones(v))
