"""From PyTorch to ONNX, the format that runtimes read."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from labkit import layers
from labkit.deploy import deployed
from labkit.kernels import HalvingPool
from labkit.runtime import proto
from labkit.runtime.quiet import quiet
from labkit.weights import Dense

INPUT, OUTPUT = "images", "logits"


def export(model: nn.Module, image_shape: tuple[int, ...], path: str | Path) -> int:
    """Write a network as it would be deployed into one ONNX file, and return its bytes.

    Batch normalisation is folded, weights are dense float32, thin products of a LowRank stay thin, and
    the number of pictures is left open: images (n, *image_shape) become logits (n, classes). The file
    is written whole or not at all. Raises ValueError for a network that cannot be exported, one whose
    path depends on the pictures for instance.

    >>> import tempfile
    >>> from labkit import zoo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = export(zoo.load("LeNet-300-100"), (1, 28, 28), f"{folder}/small.onnx")
    >>> 4 * 266_610 < written < 4 * 266_610 + 2000
    True
    """
    net, images = plain(model), torch.zeros(2, *image_shape)  # a batch of 1 would be taken for a constant
    try:
        with torch.inference_mode():
            net(images)
    except Exception as error:  # the network's own code may raise anything
        message = f"the network cannot run pictures of shape {tuple(image_shape)} ({proto.first_line(error)})"
        raise ValueError(f"{message}: give the shape of one picture that it was made for") from error
    try:
        with quiet():
            program = torch.onnx.export(
                net,
                (images,),
                dynamo=True,
                verbose=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
    except Exception as error:  # the exporter's own errors are private classes
        reason = proto.first_line(error.__cause__ or error)
        raise ValueError(f"the network cannot be exported ({reason}): use layers that ONNX knows") from error
    return proto.save(program.model_proto, path)


def plain(model: nn.Module) -> nn.Module:
    """Return the deployed network in the operations that a runtime knows best: dense weights, plain pooling."""
    net = deployed(model).cpu().float()
    for layer in layers.layers(net).values():
        layer.weight = Dense(layer.weight())
    for path, module in list(net.named_modules()):
        if isinstance(module, HalvingPool):  # faster in PyTorch, but four shifted copies to anyone else
            net.set_submodule(path, nn.MaxPool2d(2))
    net = net.requires_grad_(False).to(memory_format=torch.contiguous_format)  # ONNX knows one order of channels
    return net
