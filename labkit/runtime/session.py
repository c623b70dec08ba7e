"""A network in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from labkit.data import Data
from labkit.measure import Accuracy
from labkit.runtime import proto
from labkit.runtime.quiet import quiet
from labkit.runtime.saturation import saturates

BATCH = 200
PROVIDERS = ["CPUExecutionProvider"]


class Session:
    """A network from an ONNX file, run by ONNX Runtime on the processor.

    It takes as many threads as PyTorch does, unless told otherwise, and they sleep between two calls:
    threads that wait actively would slow down whatever PyTorch does next. Raises ValueError for a file
    that is missing or damaged, and for pictures of another shape.

    >>> import tempfile
    >>> from labkit import zoo
    >>> from labkit.runtime import export
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = export(zoo.load("LeNet-5"), (1, 28, 28), f"{folder}/lenet.onnx")
    ...     session = Session(f"{folder}/lenet.onnx")
    >>> session(torch.zeros(3, 1, 28, 28)).shape
    torch.Size([3, 10])
    """

    def __init__(self, path: str | Path, threads: int | None = None):
        self.path, self.threads = Path(path), torch.get_num_threads() if threads is None else threads
        if self.threads < 1:
            raise ValueError(f"threads is {threads}, but must be at least 1")
        content = proto.read(path)
        try:
            with quiet():
                self._session = onnxruntime.InferenceSession(content, _options(self.threads), providers=PROVIDERS)
            (inside,) = self._session.get_inputs()
            self._name, self.image_shape = inside.name, tuple(inside.shape[1:])
            self(np.zeros((1, *self.image_shape), np.float32))  # some damage shows only when it runs
        except Exception as error:  # ONNX Runtime has a class of its own for each kind of damage
            raise proto.damaged(path, error) from error

    def __call__(self, images: Tensor | np.ndarray) -> Tensor:
        """Return the logits (n, classes) of normalised float32 pictures (n, channels, height, width)."""
        pictures = images.detach().cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
        if pictures.shape[1:] != self.image_shape or len(pictures) == 0:
            allowed = " x ".join(("n", *map(str, self.image_shape)))
            raise ValueError(f"the pictures have shape {pictures.shape}, but must be {allowed} with n at least 1")
        if pictures.dtype != np.float32:
            raise ValueError(f"the pictures are {pictures.dtype}, but must be float32: see Data.normalise")
        (logits,) = self._session.run(None, {self._name: np.ascontiguousarray(pictures)})
        return torch.from_numpy(logits)

    def predict(self, images: Tensor | np.ndarray) -> Tensor:
        """Return the class (n,) with the largest logit of each picture."""
        return self(images).argmax(1)

    def work(self, batch: int) -> Callable[[], object]:
        """Return what runs the network once on a batch of noise, for the clock: see `labkit.latency`."""
        if batch < 1:
            raise ValueError(f"batch is {batch}, but must be at least 1")
        noise = torch.randn(batch, *self.image_shape, generator=torch.Generator().manual_seed(0)).numpy()
        return lambda: self._session.run(None, {self._name: noise})

    def __repr__(self) -> str:
        return f"Session({self.path.name}, {self.threads} thread{'s' * (self.threads > 1)})"


def accuracy(session: Session, data: Data, split: str = "validation", batch: int = BATCH) -> Accuracy:
    """Count the right answers of a network in ONNX Runtime on the whole of a split."""
    part, right = data.split(split), 0
    for start in range(0, len(part), batch):
        pictures = part.take(slice(start, start + batch))
        right += int((session.predict(data.normalise(pictures.images)) == pictures.labels).sum())
    return Accuracy(right, len(part))


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # fatal only: everything else is raised as well
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options
