"""What a notebook needs besides the methods: checks of the exercises, hints, and the survey's map.

>>> from labkit.course import check, hint, survey_map
"""

from labkit.course.checks import check, hint
from labkit.course.controls import shuffled
from labkit.course.themes import survey_map

__all__ = ["check", "hint", "shuffled", "survey_map"]
