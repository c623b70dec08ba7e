"""Structured matrices: section II-C of the survey.

METHODS lists them in the order in which the notebook teaches them, and its panel offers all. RIVALS are controls:
a sweep may name them, and no panel offers them.
"""

from labkit.structured.blockcirculant import BlockCirculant
from labkit.structured.circulant import Circulant
from labkit.structured.fastfood import Fastfood
from labkit.structured.monarch import Monarch
from labkit.structured.rivals import LowRank, Narrower, RandomSparse
from labkit.structured.toeplitzlike import ToeplitzLike

METHODS = (Circulant, BlockCirculant, ToeplitzLike, Fastfood, Monarch)
RIVALS = (LowRank, RandomSparse, Narrower)
