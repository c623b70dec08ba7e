"""Small dense networks have as many numbers as was asked for, as nearly as their widths allow."""

import itertools

import pytest
import torch

from labkit import zoo
from labkit.narrower import chain, narrower, sides, widths

SHARES = (1 / 64, 1 / 8, 1 / 3, 0.9)


def count(found, biases):
    return sum((one + biases) * two for one, two in itertools.pairwise(found))


@pytest.mark.parametrize("whole", [[784, 1000, 10], [50, 40, 20, 3]])
@pytest.mark.parametrize(("biases", "share"), list(itertools.product((True, False), SHARES)))
def test_widths_are_the_nearest_of_all_common_factors(whole, biases, share):
    wanted = round(share * count(whole, biases))
    found = widths(whole, biases, wanted)
    assert found[0] == whole[0] and found[-1] == whole[-1]
    factor = whole[1] / max(whole[1:-1])
    for other in (found[1] - 1, found[1] + 1):
        if 1 <= other <= whole[1]:
            scale = other / factor / max(whole[1:-1])
            tried = [whole[0], *(max(1, round(side * scale)) for side in whole[1:-1]), whole[-1]]
            assert abs(count(found, biases) - wanted) <= abs(count(tried, biases) - wanted)


def test_a_narrower_network_is_drawn_by_its_seed_and_nothing_else():
    model = zoo.load("LeNet-300-100")
    before = torch.get_rng_state()
    one, same, other = (narrower(model, 10_000, seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one.fc1.weight(), same.fc1.weight()) and not torch.equal(one.fc1.weight(), other.fc1.weight())
    assert abs(zoo.parameters(one) - 10_000) < 784 + 100 and sides(chain(one))[0] == 784


def test_what_is_no_chain_of_matrices_is_refused():
    with pytest.raises(ValueError, match="only a row of fully connected layers"):
        narrower(zoo.load("LeNet-5"), 10_000, 0)
