"""The Gram matrix of what a layer reads says by how much the layer's output changes."""

import dataclasses

import pytest
import torch
from torch import nn

from labkit import activations, adopt
from labkit import data as datasets
from labkit.activations import gram
from tests.networks import fashion


def data_of(images: torch.Tensor) -> datasets.Data:
    """Pictures in uint8 as a data set whose split for training they are."""
    part = datasets.Split(images, torch.zeros(len(images), dtype=torch.long))
    return datasets.Data("noise", ("one",), part, part, part, mean=(0.3,), std=(0.5,))


def noise(count: int, *shape: int) -> datasets.Data:
    return data_of(torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(0)).byte())


@pytest.fixture
def every_patch(monkeypatch):
    monkeypatch.setattr(activations, "COLUMNS", 10**9)


def test_a_matrix_reads_the_mean_product_of_its_inputs():
    data = noise(250, 1, 4, 5)
    found = gram(adopt(nn.Sequential(nn.Flatten(), nn.Linear(20, 3))), data)
    x = data.normalise(data.train.images).flatten(1)
    torch.testing.assert_close(found["1"], (x.mT @ x / 250)[None])


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(
    "options",
    [
        {},
        dict(padding=2, stride=2),
        dict(padding=(1, 2), stride=(2, 1), dilation=(1, 2)),
        dict(groups=2, padding=1),
        dict(padding="same"),
        dict(padding="same", dilation=(3, 1), groups=2),
        dict(padding="valid"),
        dict(padding=(2, 1), padding_mode="circular"),
        dict(padding=1, padding_mode="reflect"),
    ],
    ids=str,
)
def test_the_squared_change_of_a_convolutions_output_follows(options, every_patch):
    torch.manual_seed(0)
    data = noise(120, 4, 9, 8)
    layer = adopt(nn.Conv2d(4, 6, (3, 4), bias=False, **options))
    with torch.no_grad():
        change = layer(data.normalise(data.train.images))  # as if the layer's weights were a change of another's
    rows = layer.weight().detach().view(layer.groups, -1, layer.weight.shape[1:].numel())
    found = ((rows @ gram(layer, data)[""]) * rows).sum(-1).flatten()
    torch.testing.assert_close(found, change.square().sum((2, 3)).mean(0), rtol=1e-3, atol=1e-4)


def test_a_sample_of_the_patches_has_the_mean_of_all(monkeypatch):
    model, data = adopt(nn.Conv2d(1, 2, 3)), fashion(100)
    monkeypatch.setattr(activations, "COLUMNS", 10**9)
    whole = gram(model, data)[""]
    monkeypatch.setattr(activations, "COLUMNS", 3000)
    samples = torch.stack([gram(model, data, seed=seed)[""] for seed in range(20)])
    assert not torch.equal(samples[0], samples[1])
    torch.testing.assert_close(
        samples.mean(0), whole, rtol=0.1, atol=0.1 * float(whole.diagonal(dim1=1, dim2=2).mean())
    )


def test_one_layer_and_shared_weights(every_patch):
    data = noise(50, 1, 2, 3)
    model = adopt(nn.Sequential(nn.Flatten(), nn.Linear(6, 6), nn.Linear(6, 6)))
    assert list(gram(model, data, where="2")) == ["2"]
    model[2].weight.load_state_dict(model[1].weight.state_dict())
    apart = gram(model, data)
    model[2].weight = model[1].weight
    for where in (None, "1", "2"):
        ((path, together),) = gram(model, data, where=where).items()
        assert path == (where or "1")
        torch.testing.assert_close(together, apart["1"] + apart["2"])


def test_the_model_is_left_alone_and_a_seed_repeats():
    model, data = adopt(nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(784, 3))).train(), fashion(300)
    first, second = gram(model, data, images=50), gram(model, data, images=50)
    assert torch.equal(first["2"], second["2"])
    assert not torch.equal(first["2"], gram(model, data, images=50, seed=1)["2"])
    assert model.training and not model[2]._forward_pre_hooks


def test_what_nothing_reaches_has_no_entry():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(6, 2), nn.Linear(6, 2)

        def forward(self, x):
            return self.used(x.flatten(1))

    assert list(gram(adopt(Idle()), noise(10, 1, 2, 3))) == ["used"]


def test_mistakes_are_named():
    model, data = adopt(nn.Sequential(nn.Flatten(), nn.Linear(6, 3), nn.Linear(3, 3))), noise(10, 1, 2, 3)
    with pytest.raises(ValueError, match="images is 0 of 10 training pictures"):
        gram(model, data, images=0)
    with pytest.raises(ValueError, match="at least 1 is needed"):
        gram(model, dataclasses.replace(data, train=data.train.take(slice(0, 0))))
    with pytest.raises(ValueError, match="layer 'fc9' does not exist: choose one of 1, 2"):
        gram(model, data, where="fc9")
    with torch.no_grad():
        model[1].weight.values[0, 0] = torch.nan
    with pytest.raises(ValueError, match="2 reads NaN"):
        gram(model, data)
