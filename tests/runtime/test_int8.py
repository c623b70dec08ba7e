"""Int8 files are a quarter as large, as accurate, and really computed in integers."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from labkit import data as datasets
from labkit.runtime import Session, accuracy, quantize
from labkit.runtime import session as sessions
from labkit.runtime.saturation import saturates
from tests.networks import fashion


def tensors(path) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


@pytest.mark.parametrize("name", ["LeNet-5", "VGG"])
def test_a_quarter_of_the_bytes_and_the_same_accuracy(name, files):
    both = files[name]
    assert 3.7 < both.whole.stat().st_size / both.small.stat().st_size < 4
    data = fashion(1000)
    whole, small = accuracy(Session(both.whole), data), accuracy(Session(both.small), data)
    assert whole.images == small.images == 1000
    assert abs(whole.value - small.value) < 0.01


@pytest.mark.parametrize("per_channel", [True, False])
def test_every_weight_is_the_nearest_number_of_its_grid(per_channel, files, tmp_path):
    path = tmp_path / "int8.onnx"
    quantize(files["LeNet-5"].whole, path, fashion(), images=20, per_channel=per_channel)
    before, after = tensors(files["LeNet-5"].whole), tensors(path)
    weights = [name for name in before if name.endswith("weight")]
    assert len(weights) == 4
    for name in weights:
        codes, steps = after[f"{name}_quantized"], after[f"{name}_scale"]
        assert codes.dtype == np.int8 and (after[f"{name}_zero_point"] == 0).all()
        assert steps.shape == ((len(codes),) if per_channel else ())
        wide = steps.reshape(-1, *[1] * (codes.ndim - 1)) if per_channel else steps
        flat = np.abs(before[name]).reshape(len(codes), -1)
        np.testing.assert_allclose(steps, (flat.max(1) if per_channel else flat.max()) / 127, rtol=0.01)
        assert (np.abs(codes * wide - before[name]) <= 0.5001 * wide).all()


def test_convolutions_and_matrices_are_computed_in_integers(files, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "run.onnx"), 4
    onnxruntime.InferenceSession(files["VGG"].small.read_bytes(), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "run.onnx").graph.node]
    assert kinds.count("QLinearConv") == 6 and kinds.count("QGemm") == 2
    assert not {"Conv", "FusedConv", "Gemm", "FusedGemm"} & set(kinds)


def test_the_grid_of_activations_comes_from_training_pictures_only(files, tmp_path):
    data, source = fashion(), files["LeNet-5"].whole
    blank = datasets.Split(torch.zeros_like(data.test.images), data.test.labels)
    unseen = dataclasses.replace(data, validation=blank, test=blank)
    other = dataclasses.replace(data, train=blank)
    written = []
    for index, one in enumerate((data, unseen, other)):
        quantize(source, tmp_path / str(index), one, images=30)
        written.append((tmp_path / str(index)).read_bytes())
    assert written[0] == written[1] != written[2]


def test_quantizing_is_silent_and_leaves_only_its_file(files, tmp_path, scratch, capfd, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert quantize(files["VGG"].whole, "int8.onnx", fashion(), 20) == (tmp_path / "here/int8.onnx").stat().st_size
    assert capfd.readouterr() == ("", "")
    assert list(scratch.iterdir()) == []
    assert [file.name for file in (tmp_path / "here").iterdir()] == ["int8.onnx"]


def test_mistakes_are_named_and_no_file_is_written(files, tmp_path):
    source, target, data = files["LeNet-5"].whole, tmp_path / "int8.onnx", fashion()
    for images in (0, len(data.train) + 1):
        with pytest.raises(ValueError, match=f"images is {images}, but must be from 1 to the 600"):
            quantize(source, target, data, images)
    with pytest.raises(ValueError, match="is int8 already"):
        quantize(files["LeNet-5"].small, target, data)
    coloured = datasets.Split(torch.zeros(9, 3, 28, 28, dtype=torch.uint8), torch.zeros(9, dtype=torch.int64))
    with pytest.raises(ValueError, match="cannot be quantized with pictures of FashionMNIST"):
        quantize(source, target, dataclasses.replace(data, train=coloured), images=9)
    (tmp_path / "half.onnx").write_bytes(source.read_bytes()[:5000])
    with pytest.raises(ValueError, match="is damaged or not an ONNX file"):
        quantize(tmp_path / "half.onnx", target, data)
    assert not target.exists()


def test_a_processor_that_cuts_products_off_gets_exact_ones(files, monkeypatch):
    data, found = fashion(20), []
    images = data.normalise(data.validation.images)
    for answer in (False, True):
        monkeypatch.setattr(sessions, "saturates", lambda answer=answer: answer)
        found.append(Session(files["VGG"].small)(images))
    if not saturates():
        torch.testing.assert_close(found[0], found[1], rtol=0.01, atol=0.01 * float(found[0].abs().max()))
    with torch.inference_mode():
        exact = files["VGG"].model(images)
    assert float((found[1] - exact).abs().mean()) < 0.1 * float(exact.abs().mean())


def test_the_probe_agrees_with_the_processors_flags():
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        pytest.skip("this system does not state its processor's flags")
    if "vnni" not in flags:
        pytest.skip("this processor has no VNNI")
    assert not saturates()
