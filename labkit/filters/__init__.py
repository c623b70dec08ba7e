"""Transferred and compact convolutional filters: section IV of the survey.

METHODS lists them in the order in which the notebook teaches them, and its panel offers all. RIVALS are controls:
a sweep may name them, and no panel offers them.
"""

from labkit.filters.crelu import CReLU
from labkit.filters.depthwise import DepthwiseSeparable
from labkit.filters.doublyconvolutional import DoublyConvolutional
from labkit.filters.fire import Fire
from labkit.filters.multibias import MultiBias
from labkit.filters.p4 import P4
from labkit.filters.rivals import Thinner

METHODS = (P4, CReLU, MultiBias, DoublyConvolutional, Fire, DepthwiseSeparable)
RIVALS = (Thinner,)
