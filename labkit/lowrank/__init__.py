"""Low-rank factorization and sparsity: section III of the survey."""

from labkit.lowrank.spatial import Spatial
from labkit.lowrank.svd import SVD

METHODS = (SVD, Spatial)
