import torch
from torch import nn

from labkit.layers import Linear
from labkit.sharing import by_sharing
from labkit.weights import Codebook, Dense, Sparse


def sharing_of(model):
    return {id(p): group["sharing"] for group in by_sharing(model, list(model.parameters())) for p in group["params"]}


def test_a_centroid_counts_the_weights_that_it_serves_and_all_else_counts_one():
    codes = torch.tensor([[0, 1, 1], [1, 0, 1]])
    layer = Linear(Codebook(codes, torch.zeros(2)), torch.zeros(2))
    found = sharing_of(nn.Sequential(layer))
    assert found[id(layer.weight.centroids.values)] == 3
    assert found[id(layer.bias)] == 1


def test_a_codebook_inside_a_sparse_counts_the_survivors_only():
    book = Codebook(torch.tensor([0, 1, 0, 1]), torch.zeros(2))
    layer = Linear(Sparse(torch.tensor([0, 3, 5, 7]), book, (4, 5)))
    assert sharing_of(layer)[id(book.centroids.values)] == 2


def test_a_codebook_that_layers_share_counts_the_weights_of_all_of_them():
    centroids = Dense(torch.zeros(2))
    books = [Codebook(torch.zeros(rows, 3, dtype=torch.long), centroids) for rows in (2, 4)]
    found = sharing_of(nn.Sequential(*map(Linear, books)))
    assert found[id(centroids.values)] == 3 + 6


def test_every_parameter_is_in_one_group():
    model = nn.Sequential(Linear(Codebook(torch.zeros(2, 2, dtype=torch.long), torch.zeros(1))), nn.Linear(2, 2))
    grouped = [p for group in by_sharing(model, list(model.parameters())) for p in group["params"]]
    assert sorted(map(id, grouped)) == sorted(map(id, model.parameters()))
