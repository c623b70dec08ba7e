"""The Gauss-Newton diagonal: exact roots, unbiased estimates, every composition, and a loss that rises so."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit import adopt, curvature, data, zoo
from labkit.data import Data, Split
from labkit.lowrank import SVD
from labkit.pruning import Magnitude
from labkit.quantization import KMeans

CLASSES = 3


def tiny(count: int = 5, seed: int = 0) -> Data:
    """A few pictures of 2 x 2 pixels."""
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 1, 2, 2), generator=random, dtype=torch.uint8)
    part = Split(images, torch.arange(count) % CLASSES)
    return Data("tiny", tuple("abc"), part, part, part)


def network(*hidden: int) -> nn.Module:
    torch.manual_seed(1)
    sides = [4, *hidden, CLASSES]
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in itertools.pairwise(sides):
        layers += [nn.Linear(before, after), nn.Tanh()]
    return adopt(nn.Sequential(*layers[:-1])).eval()


def exact(model: nn.Module, images: torch.Tensor, path: str) -> torch.Tensor:
    """The diagonal of the mean of J' (diag(p) - p p') J, with the Jacobian of each picture by torch.func."""
    weight = dict(model.named_parameters())[path].detach()

    def outputs(value):
        return torch.func.functional_call(model, {path: value}, (images,))

    jacobian = torch.func.jacrev(outputs)(weight).detach()
    p = outputs(weight).detach().softmax(1)
    hessian = torch.diag_embed(p) - p[:, :, None] * p[:, None]
    flat = jacobian.flatten(2)
    return torch.einsum("nai,nab,nbi->i", flat, hessian, flat).view(weight.shape) / len(images)


def replicates(model: nn.Module, pictures: Data, count: int, **options) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Mean and standard error of several estimates, each with other dice."""
    found = [curvature.diagonal(model, pictures, seed=seed, **options) for seed in range(count)]
    stacked = {path: torch.stack([h[path] for h in found]) for path in found[0]}
    return {path: (h.mean(0), h.std(0) / math.sqrt(count)) for path, h in stacked.items()}


def agrees(found: tuple[torch.Tensor, torch.Tensor], expected: torch.Tensor) -> None:
    mean, error = found
    assert ((mean - expected).abs() <= 5 * error + 1e-7).all()
    assert (mean - expected).norm() < 0.1 * expected.norm()  # or 5 errors would say nothing


def test_the_random_vectors_have_the_covariance_of_the_softmax():
    p = torch.tensor([0.7, 0.2, 0.1, 0.0], dtype=torch.float64)
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=4)), dtype=torch.float64)
    v = curvature.root(p.expand(len(signs), -1), signs)
    torch.testing.assert_close(v.T @ v / len(signs), torch.diag(p) - torch.outer(p, p))


def test_over_all_signs_the_squared_sum_of_a_batch_is_the_sum_of_its_pictures():
    model, pictures = network(), tiny(2)
    images, weight = pictures.normalise(pictures.train.images), model[1].weight.values
    expected = 2 * exact(model, images, "1.weight.values")
    total, count = torch.zeros_like(weight), 0
    for signs in itertools.product((-1.0, 1.0), repeat=2 * CLASSES):
        outputs = model(images)
        v = curvature.root(outputs.detach().softmax(1), torch.tensor(signs).view(2, CLASSES))
        total += torch.autograd.grad(outputs, weight, v)[0].square()
        count += 1
    torch.testing.assert_close(total / count, expected)


def test_a_linear_softmax_model_has_its_closed_form():
    model, pictures = network(), tiny()
    images = pictures.normalise(pictures.train.images)
    p = model(images).detach().softmax(1)
    expected = (p * (1 - p)).T @ images.flatten(1).square() / len(images)
    found = replicates(model, pictures, 40, images=50, batch=4)
    agrees(found["1.weight"], expected)


@pytest.mark.parametrize("options", [dict(batch=1), dict(batch=7), dict(draws=3), dict(pool=4)])
def test_the_estimate_has_the_right_mean_for_every_leaf(options):
    model, pictures = network(6), tiny(4)
    images = pictures.normalise(pictures.train.images)
    found = replicates(model, pictures, 40, images=200, **options)
    for path in ("1.weight", "3.weight"):
        agrees(found[path], exact(model, images, f"{path}.values"))


def test_sure_pictures_are_drawn_seldom_and_yet_count_as_they_should():
    model, pictures = network(), tiny(4)
    with torch.no_grad():
        model[1].weight.values.mul_(20)
        model[1].bias.copy_(torch.tensor([3.0, 0.0, 0.0]))
    images = pictures.normalise(pictures.train.images)
    traces = 1 - model(images).softmax(1).square().sum(1)
    assert traces.max() > 5 * traces.min()
    agrees(replicates(model, pictures, 80, images=60)["1.weight"], exact(model, images, "1.weight.values"))


def test_the_noise_falls_with_more_pictures_and_more_draws():
    model, pictures = network(6), tiny()
    few, many, drawn = (
        replicates(model, pictures, 30, **options)["1.weight"][1].norm()
        for options in (dict(images=10), dict(images=160), dict(images=10, draws=16))
    )
    assert many < few / 2 and drawn < few / 2


def test_the_leaves_of_every_composition_are_seen_as_they_are_shown():
    model, pictures = network(6), tiny()
    images = pictures.normalise(pictures.train.images)
    pruned = Magnitude().prepare(model).at(0.5)
    book = KMeans().prepare(pruned, where="1").at(2)
    found = replicates(book, pictures, 60, images=40)
    assert set(found) == {"1.weight.values", "3.weight.values"}
    dense = network(6)
    for index in (1, 3):
        dense[index].weight.values.data = book[index].weight().detach()
    expected = exact(dense, images, "1.weight.values").flatten()[book[1].weight.positions]
    agrees(found["1.weight.values"], expected)
    factors = curvature.diagonal(SVD().prepare(model).at(2), pictures)
    shapes = {path: tuple(h.shape) for path, h in factors.items()}
    assert shapes["1.weight.u"] == (6, 2) and shapes["1.weight.v"] == (2, 4)


def test_the_model_stays_as_it_is_and_the_same_dice_give_the_same():
    model, pictures = network(6).train(), tiny()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():  # a caller may have switched gradients off
        first, second = (curvature.diagonal(model, pictures, images=8) for _ in range(2))
    assert all(torch.equal(first[path], second[path]) for path in first)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training and all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not model[1].weight._forward_hooks


@pytest.mark.parametrize("name", ["images", "batch", "draws", "pool"])
def test_a_count_below_one_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 0, but must be at least 1"):
        curvature.diagonal(network(), tiny(), **{name: 0})


def test_what_cannot_have_a_curvature_is_refused():
    model = network(6)
    with pytest.raises(ValueError, match="layer 'fc9' does not exist"):
        curvature.diagonal(model, tiny(), where="fc9")
    with torch.no_grad():
        model[3].bias.fill_(math.nan)
    with pytest.raises(ValueError, match="outputs are NaN"):
        curvature.diagonal(model, tiny())
    with torch.no_grad():
        model[3].weight.values.fill_(math.inf)
    with pytest.raises(ValueError, match="3.weight holds NaN"):
        curvature.diagonal(model, tiny())


def test_the_loss_of_a_trained_network_rises_about_as_predicted():
    model, pictures = zoo.load("LeNet-300-100", "MNIST"), data.load("MNIST")
    h = curvature.diagonal(model, pictures, images=500, pool=10_000)
    part = pictures.train.take(slice(0, 10_000))
    images = pictures.normalise(part.images)
    with torch.no_grad():
        before = float(F.cross_entropy(model(images), part.labels))
        random = torch.Generator().manual_seed(0)
        rises, predicted = [], 0.0
        for _ in range(6):  # steps without a direction, so that the slope and the corners of h add nothing
            moved = adopt(model)
            for path in h:
                weight = moved.get_submodule(path).values
                weight += 0.01 * torch.randn(weight.shape, generator=random)
            rises.append(float(F.cross_entropy(moved(images), part.labels)) - before)
            predicted += curvature.rise(h, model, moved) / 6
    assert 0.5 < predicted / (sum(rises) / 6) < 2
