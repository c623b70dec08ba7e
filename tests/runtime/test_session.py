"""A session counts what PyTorch counts, and says in a sentence what it cannot run."""

import time

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from labkit.measure import accuracy as in_pytorch
from labkit.runtime import Session, accuracy
from tests.networks import fashion, pictures


def test_accuracy_is_pytorchs(files):
    data = fashion()
    found, expected = accuracy(Session(files["LeNet-5"].whole), data), in_pytorch(files["LeNet-5"].model, data)
    assert found.images == 600 and abs(found.right - expected.right) <= 1
    assert accuracy(Session(files["LeNet-5"].whole), data, batch=77) == found
    with pytest.raises(ValueError, match="choose train, validation or test"):
        accuracy(Session(files["LeNet-5"].whole), data, "holdout")


@pytest.mark.parametrize("threads", [1, 2])
def test_numpy_and_torch_give_the_same_logits(threads, files):
    session, images = Session(files["LeNet-5"].whole, threads), pictures(5)
    logits = session(images)
    assert logits.shape == (5, 10) and logits.dtype == torch.float32
    assert torch.equal(logits, session(images.numpy()))
    strided = images.permute(1, 0, 2, 3).contiguous().permute(1, 0, 2, 3)
    assert torch.equal(logits, session(strided))
    assert torch.equal(session.predict(images), logits.argmax(1))
    assert "LeNet-5.onnx" in repr(session)


def test_as_many_threads_as_pytorch(files):
    assert Session(files["LeNet-5"].whole).threads == torch.get_num_threads()
    with pytest.raises(ValueError, match="threads is 0"):
        Session(files["LeNet-5"].whole, 0)
    with pytest.raises(ValueError, match="batch is 0"):
        Session(files["LeNet-5"].whole).work(0)


def test_threads_sleep_between_two_calls(files):
    work, spent = Session(files["VGG"].whole, threads=2).work(32), []
    for _ in range(3):
        work()
        begin = time.process_time()
        time.sleep(0.02)
        spent.append(time.process_time() - begin)
    assert min(spent) < 0.01  # a thread that waits actively would spend all of it


@pytest.mark.parametrize("shape", [(2, 3, 28, 28), (28, 28), (2, 1, 32, 32), (0, 1, 28, 28), ()])
def test_pictures_of_another_shape_are_refused(shape, files):
    with pytest.raises(ValueError, match="must be n x 1 x 28 x 28"):
        Session(files["LeNet-5"].whole)(torch.zeros(shape))


def test_pictures_that_were_not_normalised_are_refused(files):
    for images in (np.zeros((2, 1, 28, 28), np.uint8), torch.zeros(2, 1, 28, 28, dtype=torch.float64)):
        with pytest.raises(ValueError, match="must be float32"):
            Session(files["LeNet-5"].whole)(images)


@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x0a", bytes(1000)])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.onnx is damaged or not an ONNX file \(.*\): write it again"):
        Session(path)


def test_missing_files_are_refused(tmp_path):
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ValueError, match="cannot be read"):
            Session(path)


def test_a_network_that_only_fails_when_it_runs_is_refused(tmp_path):
    inside = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    outside = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    shape = helper.make_tensor("s", TensorProto.INT64, (2,), [-1, 3])
    graph = helper.make_graph([helper.make_node("Reshape", ["x", "s"], ["y"])], "g", [inside], [outside], [shape])
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    with pytest.raises(ValueError, match="is damaged"):
        Session(path)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damage_is_refused_or_harmless_and_silent(files, tmp_path_factory, data):
    content = bytearray(files["LeNet-5"].small.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:  # the ends hold the structure, the middle the weights
        position = data.draw(st.integers(0, 3000)) * data.draw(st.sampled_from([1, -1]))
        content[position] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(content)
    try:
        session = Session(path)
    except ValueError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
    else:
        assert len(session(np.zeros((2, *session.image_shape), np.float32))) == 2


def test_a_failed_start_prints_nothing(files, tmp_path, capfd):
    content = bytearray(files["LeNet-5"].small.read_bytes())
    refused = 0
    for position in range(40, 120):
        content[position] ^= 0x80
        (tmp_path / "net.onnx").write_bytes(content)
        content[position] ^= 0x80
        try:
            Session(tmp_path / "net.onnx")
        except ValueError:
            refused += 1
    assert refused and capfd.readouterr() == ("", "")
