"""tensorly computes with torch tensors while a block runs, and only in the thread that runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_backend() -> Iterator[None]:
    """Give this thread tensorly's PyTorch backend for a while; no other thread and no later code notices.

    tensorly's own `backend_context` sets the backend of all threads when it ends.

    >>> import tensorly
    >>> with torch_backend():
    ...     tensorly.get_backend()
    'pytorch'
    >>> tensorly.get_backend()
    'numpy'
    """
    import tensorly  # here, since it takes longer to import than all else in this section

    before = tensorly.get_backend()
    tensorly.set_backend("pytorch", local_threadsafe=True)
    try:
        yield
    finally:
        tensorly.set_backend(before, local_threadsafe=True)
