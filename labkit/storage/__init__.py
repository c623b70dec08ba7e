"""A network in a file: as few bytes as it needs, and the same outputs to the last bit when it is loaded.

    bytes = structure + sum over layers of their streams,  and that is what os.path.getsize says.

Each tensor is one stream, written in the shortest of a few lossless forms: floating point numbers as
they are, in 16 bits where that is exact, or as codes into a table of the few that occur (`floats`),
whole numbers packed to their bits or Huffman-coded (`integers`, `symbols`, `huffman`), ascending
positions as gaps. The tables of Huffman codes count to the stream, and so to its layer. "structure" is
all that is not a stream: the safetensors header, the checksum, and the compressed tree of names, kinds
and shapes.

A file names layers and Weights, and only those of fixed tables are built (`kinds`, `Weight.enrolled`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from labkit import zoo
from labkit.files import write
from labkit.storage import container
from labkit.storage.errors import FileError
from labkit.storage.reader import Reader
from labkit.storage.writer import Writer, skeleton

__all__ = ["FileError", "Size", "load", "save", "size"]

LIMIT = 2**28  # numbers that a network may show: a gigabyte as float32
STRUCTURE = "structure"


@dataclass(frozen=True)
class Size:
    """How many bytes a network's file has: in all, for each layer by path, and for its "structure"."""

    total: int
    parts: dict[str, int]


def size(model: nn.Module) -> Size:
    """Return the bytes that `save` would write, without writing: the parts add up to the file's size.

    Fast enough for a slider, since the length of a Huffman-coded stream follows from a histogram.
    Raises TypeError and ValueError for what cannot be saved.

    >>> from labkit import zoo
    >>> found = size(zoo.build("LeNet-5"))
    >>> found.parts["fc1"], sum(found.parts.values()) == found.total
    (1602002, True)
    """
    return _plan(model)[0]


def save(model: nn.Module, path: str | Path) -> int:
    """Write a network into one safetensors file, whole or not at all, and return its bytes.

    Raises TypeError and ValueError for what cannot be saved, OSError where the disk does not take it.

    >>> import tempfile
    >>> from labkit import zoo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = zoo.load("LeNet-300-100")
    ...     written = save(model, f"{folder}/dense.safetensors")
    ...     same = load(f"{folder}/dense.safetensors")
    >>> written == size(model).total, bool((same.fc1.weight() == model.fc1.weight()).all())
    (True, True)
    """
    found, structure, writer = _plan(model)
    content = container.wrap(structure, [plan.encode() for plan in writer.plans])
    if len(content) != found.total:
        raise RuntimeError(f"{found.total} bytes were planned, but {len(content)} would be written")
    write(Path(path), content)
    return len(content)


def load(path: str | Path, into: nn.Module | None = None, limit: int = LIMIT) -> nn.Module:
    """Return the network of a file in evaluation mode, with the same outputs to the last bit.

    A network of the zoo is rebuilt. Any other is a copy of `into`, the network that was saved before
    it was compressed, filled from the file; `into` itself stays as it is. `limit` bounds how many
    numbers the network may show. Raises FileError for a file that is missing, damaged, made by
    somebody for whom it is not, or that holds what this lab does not know.
    """
    if into is not None and not isinstance(into, nn.Module):
        raise TypeError(f"into must be a network, not {type(into).__name__}")
    try:
        packed, rest = container.unwrap(container.read(Path(path), 8 * limit + container.LARGEST_STRUCTURE))
        origin, tree, lengths = _parts(container.unpack_structure(packed))
        if not all(type(length) is int and length >= 0 for length in lengths) or sum(lengths) != len(rest):
            raise FileError("the lengths of its streams do not add up to the file")
        reader = Reader([rest.take(length) for length in lengths], limit)
        like = copy.deepcopy(into) if into is not None else _skeleton(origin)
        network = reader.network(tree, like)
        if origin is not None and isinstance(network, zoo.Network):
            network.origin = _origin(origin)
        return network.eval()
    except FileError as error:
        raise FileError(f"{path} cannot be loaded: {error}") from error
    except Exception as error:  # what constructors raise on senseless arguments is beyond any list
        raise FileError(f"{path} cannot be loaded: its structure makes no sense ({type(error).__name__})") from error


def _plan(model: nn.Module) -> tuple[Size, bytes, Writer]:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a network, not {type(model).__name__}")
    writer = Writer()
    structure = container.pack_structure(writer.network(model))
    streams = sum(plan.size for plan in writer.plans)
    total = container.wrapped_size(len(structure), streams)
    writer.parts[STRUCTURE] += total - streams
    return Size(total, dict(writer.parts)), structure, writer


def _parts(structure: object) -> tuple[object, object, list]:
    if not isinstance(structure, list) or len(structure) != 3 or not isinstance(structure[2], list):
        raise FileError("its structure is not that of a network")
    return tuple(structure)


def _origin(origin: object) -> tuple[str, tuple[int, int, int], int]:
    if not isinstance(origin, list) or len(origin) != 3 or not isinstance(origin[1], list) or len(origin[1]) != 3:
        raise FileError("the network it comes from is not named as it should be")
    name, shape, classes = origin
    if name not in zoo.NETWORKS or not all(type(side) is int and 0 < side <= 2**16 for side in (*shape, classes)):
        raise FileError(f"it comes from the network {str(name)[:80]!r}, which this zoo does not have")
    return name, tuple(shape), classes


def _skeleton(origin: object) -> nn.Module | None:
    return None if origin is None else copy.deepcopy(skeleton(_origin(origin)))
