"""Real integers: weights and activations in 8 bits, multiplied as integers (Jacob 2018)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

from labkit.data import Data
from labkit.runtime import proto
from labkit.runtime.quiet import quiet

BATCH = 100


def quantize(source: str | Path, target: str | Path, data: Data, images: int = 500, per_channel: bool = True) -> int:
    """Turn a float32 ONNX file into one that computes in 8 bits, and return the bytes of the new file.

    Each tensor gets a step s and a zero point z, x = s (q - z). Then one product of matrices is one of
    integers, added up in 32 bits, and one multiplication by the steps (Jacob 2018):

        y = s_x s_w sum_i (q_x - z_x) q_w,   q_x = 0 ... 255,   q_w = -127 ... 127.

    Weights have one step for each output channel (`per_channel`) or one for the tensor. The steps of
    activations come from the smallest and largest value that some training pictures give. Raises
    ValueError for a damaged source, one that is int8 already, or more pictures than there are.

    >>> import tempfile
    >>> from labkit import data, zoo
    >>> from labkit.runtime import export
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     whole = export(zoo.load("LeNet-5"), (1, 28, 28), f"{folder}/float32.onnx")
    ...     small = quantize(f"{folder}/float32.onnx", f"{folder}/int8.onnx", data.load(), images=100)
    >>> 3.8 < whole / small < 4
    True
    """
    if not 1 <= images <= len(data.train):
        raise ValueError(f"images is {images}, but must be from 1 to the {len(data.train):,} training pictures")
    model = proto.parse(source)
    if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise ValueError(f"{source} is int8 already: give the float32 file that it was made from")
    with tempfile.TemporaryDirectory() as folder:
        ready, done = Path(folder) / "ready.onnx", Path(folder) / "int8.onnx"
        try:
            with quiet():
                # ONNX Runtime advises to simplify the graph and find all shapes first. Its own
                # "symbolic" search for shapes is for transformers, and writes into the current folder.
                quant_pre_process(source, ready, skip_symbolic_shape=True)
                quantization.quantize_static(
                    ready,
                    done,
                    _Pictures(data, images, model.graph.input[0].name),
                    per_channel=per_channel,
                    activation_type=quantization.QuantType.QUInt8,  # processors multiply u8 by s8
                    weight_type=quantization.QuantType.QInt8,
                )
        except Exception as error:  # the library raises anything, from ValueError to its own
            reason = proto.first_line(error)
            raise ValueError(f"{source} cannot be quantized with pictures of {data.name} ({reason})") from error
        return proto.save(proto.parse(done), target)


class _Pictures(quantization.CalibrationDataReader):
    """Training pictures from all over the split, in batches."""

    def __init__(self, data: Data, count: int, name: str):
        index = torch.linspace(0, len(data.train) - 1, count).round().long()
        self._batches = self._read(data, index, name)

    @staticmethod
    def _read(data: Data, index: torch.Tensor, name: str) -> Iterator[dict]:
        for chosen in index.split(BATCH):
            yield {name: data.normalise(data.train.images[chosen]).numpy()}

    def get_next(self) -> dict | None:
        """Return the next batch, None after the last."""
        return next(self._batches, None)
