"""Threads follow the container's quota; a missing device is said in one sentence."""

import os

import pytest
import torch

from labkit import hardware


@pytest.mark.parametrize(
    ("content", "expected"),
    [("max 100000", None), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("junk", None)],
)
def test_quota_of_control_groups_version_2(tmp_path, content, expected):
    (tmp_path / "cpu.max").write_text(content)
    assert hardware._quota(tmp_path) == expected


def test_quota_of_control_groups_version_1(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert hardware._quota(tmp_path) is None
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("300000")
    assert hardware._quota(tmp_path) == 3


def test_limit_never_exceeds_what_the_process_may_use(tmp_path):
    (tmp_path / "cpu.max").write_text("6400000 100000")
    assert hardware.cpu_limit(tmp_path) <= len(os.sched_getaffinity(0))
    (tmp_path / "cpu.max").write_text("100000 100000")
    assert hardware.cpu_limit(tmp_path) == 1


def test_threads_are_set_unless_the_user_chose_them(monkeypatch):
    before = torch.get_num_threads()
    try:
        monkeypatch.setattr(hardware, "cpu_limit", lambda: 1)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        assert hardware.follow_cpu_limit() == 1
        torch.set_num_threads(2)
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        assert hardware.follow_cpu_limit() == 2
    finally:
        torch.set_num_threads(before)


def test_an_absent_device_names_those_that_are_there():
    with pytest.raises(ValueError, match="choose one of cpu"):
        hardware.device("cuda:99")
    assert hardware.device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_cuda_is_found():
    assert hardware.device("auto").type == hardware.device("cuda").type == "cuda"
