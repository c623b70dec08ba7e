"""A folder for all temporary files, so that a test sees what is left in it; networks in ONNX, made once."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit import data as datasets
from labkit import zoo
from labkit.runtime import export, quantize


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Path:
    """Where the code under test makes its temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> dict[str, SimpleNamespace]:
    """Networks of the zoo with their float32 and int8 files."""
    folder, found = tmp_path_factory.mktemp("onnx"), {}
    for name in ("LeNet-5", "VGG"):
        model, whole, small = zoo.load(name), folder / f"{name}.onnx", folder / f"{name}-int8.onnx"
        export(model, (1, 28, 28), whole)
        quantize(whole, small, datasets.load("FashionMNIST"), images=200)
        found[name] = SimpleNamespace(model=model, whole=whole, small=small)
    return found
