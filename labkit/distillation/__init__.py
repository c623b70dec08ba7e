"""Knowledge distillation: section V of the survey.

METHODS lists them in the order in which the notebook teaches them, and its panel offers all. RIVALS are what they are
compared with.
"""

from labkit.distillation.attention import AttentionTransfer
from labkit.distillation.dkd import DecoupledTargets
from labkit.distillation.hints import Hints
from labkit.distillation.logits import LogitRegression
from labkit.distillation.rivals import LabelsAlone, ShuffledTeacher, SmoothedLabels
from labkit.distillation.softtargets import SoftTargets

METHODS = (SoftTargets, LogitRegression, Hints, AttentionTransfer, DecoupledTargets)
RIVALS = (LabelsAlone, SmoothedLabels, ShuffledTeacher)
