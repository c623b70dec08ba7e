"""The exercises of all notebooks: one file for each, listed here."""

from labkit.course.checks import Exercise
from labkit.course.exercises import quantization, start_here

EXERCISES: dict[str, Exercise] = {about.name: about for about in (*start_here.EXERCISES, *quantization.EXERCISES)}
