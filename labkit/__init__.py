"""The Compression Lab's package: every method of the survey, and the lab to play with them."""

from labkit import hardware
from labkit.layers import adopt

hardware.follow_cpu_limit()

__all__ = ["adopt"]
