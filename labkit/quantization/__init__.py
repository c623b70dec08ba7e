"""Quantization and binarization: section II-A of the survey."""

from labkit.quantization.kmeans import KMeans

METHODS = (KMeans,)
