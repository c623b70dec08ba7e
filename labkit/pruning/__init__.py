"""Parameter pruning and sharing: section II-B of the survey.

METHODS lists them in the order in which the notebook teaches them, and its panel offers all. A further
method is one more file here, with its card, and one more name in the list; one that only scores single
weights derives from `ranked.Ranked` and defines `scores`. RIVALS are what papers compare a method with: a sweep may
name them, and no panel offers them.
"""

from labkit.pruning.deepcompression import DeepCompression
from labkit.pruning.filters import FilterPruning
from labkit.pruning.hashed import HashedNets
from labkit.pruning.lamp import LAMP
from labkit.pruning.magnitude import Magnitude
from labkit.pruning.obd import OptimalBrainDamage
from labkit.pruning.obs import OptimalBrainSurgeon
from labkit.pruning.random import Random
from labkit.pruning.rivals import LowRankFixed, Narrower, RandomEdges
from labkit.pruning.rounds import PruneRetrain
from labkit.pruning.softsharing import SoftWeightSharing
from labkit.pruning.ssl import StructuredSparsity

METHODS = (
    Magnitude,
    Random,
    OptimalBrainDamage,
    OptimalBrainSurgeon,
    PruneRetrain,
    FilterPruning,
    StructuredSparsity,
    HashedNets,
    SoftWeightSharing,
    DeepCompression,
    LAMP,
)
RIVALS = (RandomEdges, LowRankFixed, Narrower)
