"""Parameter pruning and sharing: section II-B of the survey."""

from labkit.pruning.magnitude import Magnitude

METHODS = (Magnitude,)
