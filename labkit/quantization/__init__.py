"""Quantization and binarization: section II-A of the survey."""

from labkit.quantization.activations import Activations
from labkit.quantization.affine import Uniform
from labkit.quantization.kmeans import KMeans

METHODS = (KMeans, Uniform, Activations)
