"""Whether this processor's integer products are exact.

Many x86 processors multiply 8-bit numbers in pairs, and add each pair in 16 bits: 255 * 127 * 2 = 64,770
does not fit, and is cut off at 32,767. Newer ones (VNNI) and ARM add in 32 bits. ONNX Runtime can do
without that instruction, which is right everywhere and slower; so we ask the processor first.
"""

from __future__ import annotations

import functools

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

SIDE = 32


@functools.cache
def saturates() -> bool:
    """Say whether ONNX Runtime's fastest product of u8 and s8 numbers is cut off on this processor.

    >>> saturates() in (True, False)
    True
    """
    weights = helper.make_tensor("w", TensorProto.INT8, (SIDE, SIDE), [127] * SIDE**2)
    inside = helper.make_tensor_value_info("x", TensorProto.UINT8, (SIDE, SIDE))
    outside = helper.make_tensor_value_info("y", TensorProto.INT32, (SIDE, SIDE))
    node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "largest", [inside], [outside], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.full((SIDE, SIDE), 255, np.uint8)})
    return not bool((found == 255 * 127 * SIDE).all())
