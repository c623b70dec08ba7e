"""The outermost layer of a file: one safetensors file that holds one tensor of bytes.

Inside: a checksum, the version of the format, the compressed structure, then the streams, one after
the other. Everything but the streams is what `size` calls "structure".
"""

from __future__ import annotations

import json
import stat
import struct
import zlib
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_container
from safetensors.numpy import save as make_container

from labkit.storage.bits import Bytes, varint
from labkit.storage.errors import FileError

NAME = "labkit"
VERSION = 1
LARGEST_STRUCTURE = 2**20  # bytes of JSON: a network of a thousand layers needs a tenth
LARGEST_HEADER = 512
# Phrases of a structure: what stands here costs a file next to nothing. It is part of the format.
PHRASES = (
    b'"BatchNorm2d":[["f4p",{"BatchNorm1d":{"Sequential":{"Network":{"ReLU":[]},"Identity":[]},"ResNet-20","VGG",'
    b'{"0":{"Linear":[{"1":{"Conv2d":[{"downsample":"shortcut":"block1":"features":"classifier":[[1,1],[0,0],"weight":'
    b'[["f4",0,1e-05,0.1]},"bn1":"conv1":"conv2":"conv3":"fc1":"fc2":"fc3":'
    b'{"LowRank":[{"Dense":[["f4p10",{"Sparse":[["i8",],{"Codebook":[["i4",],{"Dense":[["f4p",64]]}]},[]},["f4p",]]},'
    b'[["LeNet-300-100",["LeNet-5",[1,28,28],10],{"":{"conv1":{"Conv2d":[{"'
)


def pack_structure(structure: object) -> bytes:
    """Compress a structure of lists, names and numbers."""
    text = json.dumps(structure, separators=(",", ":"), allow_nan=False).encode()
    if len(text) > LARGEST_STRUCTURE:
        raise ValueError(f"the structure takes {len(text)} bytes, but at most {LARGEST_STRUCTURE} can be saved")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=PHRASES)
    return deflate.compress(text) + deflate.flush()


def unpack_structure(data: bytes) -> object:
    """Undo `pack_structure`, without ever making more than `LARGEST_STRUCTURE` bytes."""
    inflate = zlib.decompressobj(-15, zdict=PHRASES)
    try:
        text = inflate.decompress(data, LARGEST_STRUCTURE)
        if not inflate.eof or inflate.unused_data:
            raise FileError("its structure is cut off or too large")
        return json.loads(text, parse_constant=_refuse)
    except (zlib.error, ValueError, RecursionError) as error:
        raise FileError("its structure cannot be read") from error


def wrap(structure: bytes, streams: list[bytes]) -> bytes:
    """Put structure and streams into one safetensors file."""
    inner = b"".join([bytes([VERSION]), varint(len(structure)), structure, *streams])
    inner = struct.pack("<I", zlib.crc32(inner)) + inner
    return make_container({NAME: np.frombuffer(inner, np.uint8)})


def wrapped_size(structure: int, streams: int) -> int:
    """Return the length of what `wrap` returns, from the lengths of what is put in."""
    inner = 5 + len(varint(structure)) + structure + streams
    header = len(f'{{"{NAME}":{{"dtype":"U8","shape":[{inner}],"data_offsets":[0,{inner}]}}}}')
    return 8 + (header + 7) // 8 * 8 + inner


def unwrap(data: bytes) -> tuple[bytes, Bytes]:
    """Return the compressed structure and the streams in a row; raise FileError for a damaged file."""
    if len(data) < 8 or struct.unpack("<Q", data[:8])[0] > LARGEST_HEADER:
        raise FileError("it is not a file of this lab, or its beginning is damaged")
    try:
        tensors = parse_container(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise FileError("it is not a whole safetensors file") from error
    inner = tensors.get(NAME)
    if list(tensors) != [NAME] or inner.dtype != np.uint8 or inner.ndim != 1:
        raise FileError("it is a safetensors file, but not one that labkit.save wrote")
    content = Bytes(inner.tobytes())
    if struct.unpack("<I", content.take(4))[0] != zlib.crc32(content.data[4:]):
        raise FileError("its checksum is wrong: it was damaged on the way, so get it again")
    if (version := content.byte()) != VERSION:
        raise FileError(f"it has version {version} of the format, but this lab reads version {VERSION}: update labkit")
    return content.take(content.varint()), content


def read(path: Path, most: int) -> bytes:
    """Return a file's bytes; raise FileError for none, for too many, and for what is not a file."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise FileError("it is not a file")
        if about.st_size > most:
            raise FileError(f"it has {about.st_size} bytes, but at most {most} are read: give load a higher limit")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FileError("there is no such file") from error
    except OSError as error:
        raise FileError(f"it cannot be read ({error.strerror})") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not allowed")
