"""A small file with a little of everything in it, and the tools to take it apart and sign it anew."""

import torch
from torch import nn

from labkit import layers
from labkit.grid import Grid
from labkit.storage import container
from labkit.weights import Affine, Codebook, Hashed, LowRank, Sparse


def small_network():
    """A little of everything: each codec, each kind of node, something shared."""
    torch.manual_seed(0)
    positions = torch.nonzero(torch.rand(240) < 0.2).flatten()
    codes = torch.randint(0, 3, (len(positions),)).clamp(max=2) * torch.randint(0, 2, (len(positions),))
    sparse = Sparse(positions, Codebook(codes, torch.randn(3)), (12, 20))
    low = LowRank(torch.randn(12, 2), Codebook(torch.randint(0, 2, (2, 12)), torch.tensor([0.5, 1.0])), (12, 12))
    even = Affine(torch.randint(0, 16, (4, 2, 3, 3)), torch.rand(4), torch.randint(0, 16, (4,)))
    convolution = layers.Conv2d(even, torch.randn(4), padding=1, grid=Grid(8, 0.1, 3))
    few = torch.tensor([0.1, -0.0, 2.0]).repeat(4)
    tied = layers.Linear(low, few, grid=Grid(4, 0.3, 7, symmetric=True))
    row = nn.Sequential(
        tied, nn.ReLU(), layers.Linear(low), layers.Linear(Hashed(torch.randn(5), 3, (3, 12))), nn.Dropout(0.5)
    )
    return nn.Sequential(layers.Linear(sparse), Grid(2, 1.5, 1), row, convolution, nn.BatchNorm2d(4), nn.MaxPool2d(2))


def opened(content):
    """Take a file apart, as an attacker would."""
    packed, rest = container.unwrap(content)
    return container.unpack_structure(packed), rest.rest()


def signed(structure, streams, packed=None):
    """Put a file together with a right checksum."""
    return container.wrap(container.pack_structure(structure) if packed is None else packed, [streams])
