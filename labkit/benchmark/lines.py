"""A file of JSON, one record a line, that is only ever added to, and survives a kill at any moment.

A record counts once its line has ended. What a kill leaves of a last line is passed over by `read`
and cut off by the next `append`. Such a file may come from a stranger: nothing in it is run, and
what is too large is refused before it is read.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: there, nobody is stopped from starting the same sweep twice
    fcntl = None

MOST_BYTES = 64 << 20
MOST_LINE = 64 << 10


def read(path: Path) -> Iterator[tuple[int, dict]]:
    """Yield the number and the record of each whole line; nothing where there is no file.

    Raises ValueError with the number of the line that is damaged, or where the file is too large.
    """
    if not path.exists():
        return
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} is larger than {MOST_BYTES >> 20} MiB, which no results are: delete it")
    *lines, _torn = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            yield number, _decode(line)
        except (ValueError, RecursionError) as error:
            raise damaged(path, number, error) from error


def damaged(path: Path, number: int, error: Exception) -> ValueError:
    """Return the error that says which line to delete."""
    return ValueError(f"{path}, line {number}, is damaged ({error}): delete the line, and sweep again")


def append(path: Path, record: dict) -> None:
    """Add one record as a line, on the disk when this returns; a torn last line is cut off first."""
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    if len(line) > MOST_LINE:
        raise ValueError(f"a record of {len(line)} bytes is too long: a line has at most {MOST_LINE}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        _cut_torn(file)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep the file for this process; raise ValueError where another one keeps it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ValueError(f"another sweep is writing {path}: wait for it, or stop it") from error
        try:
            yield
        finally:
            if path.stat().st_size == 0:
                path.unlink()


def _decode(line: bytes) -> dict:
    if len(line) >= MOST_LINE:
        raise ValueError(f"it is longer than {MOST_LINE} bytes")
    record = json.loads(line, parse_constant=_refuse)
    if not isinstance(record, dict):
        raise ValueError("it is no record")
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _cut_torn(file) -> None:
    """Truncate behind the last newline, looking back no further than a line may be long."""
    end = file.seek(0, os.SEEK_END)
    begin = file.seek(max(0, end - MOST_LINE))
    tail = file.read()
    whole = tail.rfind(b"\n") + 1
    if whole == 0 and begin > 0:
        raise ValueError(f"{file.name} ends in a line of more than {MOST_LINE} bytes: delete that line")
    file.truncate(begin + whole)
