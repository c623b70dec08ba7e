"""A network outside PyTorch: as ONNX, in ONNX Runtime, with integers that a processor really multiplies.

Import it where it is used: onnx and ONNX Runtime take half a second to import.
"""

from labkit.runtime.compare import Comparison, Row, compare
from labkit.runtime.export import export
from labkit.runtime.int8 import quantize
from labkit.runtime.session import Session, accuracy

__all__ = ["Comparison", "Row", "Session", "accuracy", "compare", "export", "quantize"]
