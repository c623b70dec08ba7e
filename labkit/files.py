"""Files that are whole or not there."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: what was there before stays until all is written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "new", b"content")
    ...     [(path.name, path.read_bytes()) for path in Path(folder).iterdir()]
    [('new', b'content')]
    """
    scratch = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        scratch.write_bytes(content)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
