"""Structured matrices: section II-C of the survey.

METHODS lists them in the order in which the notebook teaches them, and its panel offers all. RIVALS are controls:
a sweep may name them, and no panel offers them.
"""

from labkit.structured.circulant import Circulant

METHODS = (Circulant,)
RIVALS = ()
