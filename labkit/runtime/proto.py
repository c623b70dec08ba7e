"""ONNX files as bytes: read with plain words where they are damaged, written without what nobody runs."""

from __future__ import annotations

from pathlib import Path

import onnx

from labkit.files import write


def read(path: str | Path) -> bytes:
    """Return the bytes of an ONNX file; raise ValueError where it cannot be read.

    >>> read("nowhere.onnx")
    Traceback (most recent call last):
    ValueError: nowhere.onnx cannot be read (No such file or directory): write it with labkit.runtime.export first
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}): write it with labkit.runtime.export first"
        raise ValueError(message) from error


def parse(path: str | Path) -> onnx.ModelProto:
    """Return the graph in an ONNX file; raise ValueError where it is damaged."""
    content = read(path)
    try:
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the parser, the checker and shape inference each have their own
        raise damaged(path, error) from error
    return model


def damaged(path: str | Path, error: Exception) -> ValueError:
    """Say in one sentence that a file is no ONNX that can be run."""
    return ValueError(f"{path} is damaged or not an ONNX file ({first_line(error)}): write it again")


def first_line(error: Exception) -> str:
    """Return what an exception says, without the pages that may follow."""
    lines = str(error).strip().splitlines()
    said = lines[0].rstrip(" .:") if lines else type(error).__name__
    return said.rpartition(" : ")[2] if said.startswith("[ONNXRuntimeError]") else said


def save(model: onnx.ModelProto, path: str | Path) -> int:
    """Write a graph with its weights into one file, whole or not at all, and return its bytes.

    Stack traces, names of source files and shapes that a runtime finds by itself are left out.
    """
    lean = onnx.ModelProto()
    lean.CopyFrom(model)
    for part in (lean, lean.graph, *lean.graph.node, *lean.graph.initializer, *lean.graph.input, *lean.graph.output):
        for field in ("doc_string", "metadata_props"):
            part.ClearField(field)
    lean.graph.ClearField("value_info")
    onnx.checker.check_model(lean, full_check=True)
    content = lean.SerializeToString(deterministic=True)
    write(Path(path), content)
    return len(content)
