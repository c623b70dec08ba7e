"""A compressed weight is computed from less than it shows: the one idea that everything stands on.

A `Weight` stores few numbers and computes a dense weight from them. The numbers inside a Weight
may themselves be a Weight, so methods stack: a `Sparse` whose values are a `Codebook` is Deep
Compression, a `LowRank` whose factors are `Codebook`s is factorise-then-quantise. Training through
any of them is plain autograd.
"""

from labkit.weights.affine import Affine
from labkit.weights.base import Dense, Weight, as_weight, check_whole, spread
from labkit.weights.chain import Chain, Thin
from labkit.weights.circulant import BlockCirculant, Circulant
from labkit.weights.codebook import Codebook
from labkit.weights.cp import CP
from labkit.weights.expanded import Expanded
from labkit.weights.fastfood import Fastfood
from labkit.weights.hashed import Hashed
from labkit.weights.latent import Latent, LatentSigns, settle
from labkit.weights.lowrank import LowRank
from labkit.weights.monarch import Monarch
from labkit.weights.rotated import Rotated
from labkit.weights.separable import Separable
from labkit.weights.signs import Signs
from labkit.weights.sparse import Sparse
from labkit.weights.tensortrain import TensorTrain
from labkit.weights.toeplitz import ToeplitzLike
from labkit.weights.transferred import Copied, Negated, Transferred
from labkit.weights.translated import Translated
from labkit.weights.tucker import Tucker2

__all__ = [
    "CP",
    "Affine",
    "BlockCirculant",
    "Chain",
    "Circulant",
    "Codebook",
    "Copied",
    "Dense",
    "Expanded",
    "Fastfood",
    "Hashed",
    "Latent",
    "LatentSigns",
    "LowRank",
    "Monarch",
    "Negated",
    "Rotated",
    "Separable",
    "Signs",
    "Sparse",
    "TensorTrain",
    "Thin",
    "ToeplitzLike",
    "Transferred",
    "Translated",
    "Tucker2",
    "Weight",
    "as_weight",
    "check_whole",
    "settle",
    "spread",
]
