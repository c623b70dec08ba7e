"""Quantization and binarization: section II-A of the survey.

METHODS lists them in the order in which the notebook teaches them, and its panel offers all. A further
method is one more file here, with its card, and one more name in the list.
"""

from labkit.quantization.activations import Activations
from labkit.quantization.affine import Uniform
from labkit.quantization.binary import BinaryScaled
from labkit.quantization.binaryconnect import BinaryConnect
from labkit.quantization.entropy import EntropyConstrained
from labkit.quantization.hessian import HessianKMeans
from labkit.quantization.kmeans import KMeans
from labkit.quantization.lossaware import LossAware
from labkit.quantization.lsq import LSQ
from labkit.quantization.ternary import Ternary

METHODS = (
    KMeans,
    Uniform,
    Activations,
    HessianKMeans,
    EntropyConstrained,
    LSQ,
    BinaryConnect,
    BinaryScaled,
    LossAware,
    Ternary,
)
