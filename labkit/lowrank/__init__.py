"""Low-rank factorization and sparsity: section III of the survey.

METHODS lists them in the order in which the notebook teaches them, and its panel offers all. RIVALS are controls:
a sweep may name them, and no panel offers them.
"""

from labkit.lowrank.activation import ActivationSVD
from labkit.lowrank.budget import Budget
from labkit.lowrank.cp import CP
from labkit.lowrank.oneshot import OneShotTucker
from labkit.lowrank.rivals import RandomSubspace
from labkit.lowrank.spatial import Spatial
from labkit.lowrank.svd import SVD
from labkit.lowrank.tensortrain import TensorTrain
from labkit.lowrank.tucker import Tucker2

METHODS = (SVD, Spatial, Tucker2, OneShotTucker, CP, TensorTrain, ActivationSVD, Budget)
RIVALS = (RandomSubspace,)
