"""Sweeps over methods, networks and knobs, their results, and the numbers that the papers published."""
