"""Import torchvision, also beside a CPU build of PyTorch for which it was not compiled.

The general build of torchvision has a compiled part that needs CUDA's libraries. Beside PyTorch's
CPU build that part does not load, so its operators do not exist, and `import torchvision` stops
where it describes two of them (`nms` and `qnms`). Declaring their schemas first lets the import
finish. The operators themselves stay unusable; data sets, transforms and models need none of them.
"""

from __future__ import annotations

import importlib
from types import ModuleType

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: torch.library.Library | None = None  # kept alive: the schemas vanish with it


def torchvision(submodule: str = "") -> ModuleType:
    """Import `torchvision`, or one of its submodules, and return it.

    >>> torchvision("datasets").MNIST.__name__
    'MNIST'
    """
    global _declared
    name = "torchvision" + (f".{submodule}" if submodule else "")
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error) or _declared is not None:
            raise
    _declared = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        _declared.define(operator + _SCHEMA)
    return importlib.import_module(name)
