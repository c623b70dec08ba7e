"""What this machine really offers: processor share, devices, number formats."""

from __future__ import annotations

import os
from pathlib import Path

import torch

CGROUP = Path("/sys/fs/cgroup")


def cpu_limit(cgroup: Path = CGROUP) -> int:
    """Count the processors this process may use: the smallest of affinity and container quota.

    A container sees all processors of its host, but is stopped as soon as it has used its quota;
    more threads than the quota make PyTorch slower. Linux states the quota in `cpu.max`
    (version 2 of control groups) or `cpu.cfs_quota_us` (version 1).

    >>> cpu_limit() >= 1
    True
    """
    affinity = getattr(os, "sched_getaffinity", None)
    available = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    return max(1, min(available, _quota(cgroup) or available))


def _quota(cgroup: Path) -> int | None:
    """Read the container's quota in whole processors, rounded up; None where there is none."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if quota in ("max", "-1"):
        return None
    try:
        return max(1, -(-int(quota) // int(period)))
    except (ValueError, ZeroDivisionError):
        return None


def follow_cpu_limit() -> int:
    """Set PyTorch's thread count to the processors that this process may use, and return it.

    A count that the user chose by OMP_NUM_THREADS stays.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        limit = cpu_limit()
        if torch.get_num_threads() != limit:
            torch.set_num_threads(limit)
    return torch.get_num_threads()


def devices() -> dict[str, str]:
    """Map each usable PyTorch device to a name for people, the processor first.

    >>> list(devices())[0]
    'cpu'
    """
    found = {"cpu": "CPU"}
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            found[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    if torch.backends.mps.is_available():
        found["mps"] = "Apple GPU"
    return found


def device(name: str = "cpu") -> torch.device:
    """Return the named device, or raise ValueError with the ones that this machine has.

    `"auto"` takes the first GPU, or the processor where there is none.

    >>> device("cpu")
    device(type='cpu')
    """
    available = devices()
    if name == "auto":
        name = next((found for found in available if found != "cpu"), "cpu")
    if name == "cuda" and "cuda:0" in available:
        name = "cuda:0"
    if name not in available:
        raise ValueError(f"device {name!r} is not on this machine: choose one of {', '.join(available)}")
    return torch.device(name)


def has_bfloat16(on: torch.device | str = "cpu") -> bool:
    """Say whether the device multiplies bfloat16 numbers itself, faster than float32."""
    kind = torch.device(on).type
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind != "cpu":
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & _cpu_flags())


def _cpu_flags() -> set[str]:
    """Read the processor's feature flags, where Linux states them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split()[2:]}
