"""Files that were made to do harm, with a right checksum: one error, little memory, little time."""

import copy
import json
import random
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import torch

from labkit import layers
from labkit.storage import FileError, load, save
from labkit.weights import Sparse
from tests.storage.attack import opened, signed

ROOT = Path(__file__).parents[2]
ENDLESS = 10**12


def with_tree(tree, streams=b"", lengths=None):
    return signed([None, tree, [len(streams)] * bool(streams) if lengths is None else lengths], streams)


def places(node, path=()):
    """All places in a structure, with what stands there."""
    yield path, node
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, part in inside:
        yield from places(part, (*path, key))


def put(structure, path, value):
    structure = copy.deepcopy(structure)
    if not path:
        return value
    target = structure
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return structure


VALUES = [
    {"Grid": [8, 0.1, 3]}, {"Grid": [40, 0.1, 3]}, {"Grid": [8, 0, 3]}, {"Grid": [ENDLESS, 1e-308, -1, 5]},
    None, True, -1, 0, 1, 2, 255, 2**31, ENDLESS, 2**63, 10**30, 0.5, -1e308, "", "=", "f4p", "f4", "i8", "os.system",
    "Dense", [], {}, [0], [[]], ["=", 0], ["=", -1], ["f4", ENDLESS], ["f4", 10**6, 10**6], ["i4", 0], ["i8", 2**24],
    ["f410", 2, 2], [ENDLESS, ENDLESS], [-1, -1], {"": {}}, {"=": 0}, {"=": 5}, {"=": ENDLESS}, {"Sequential": {}},
    {"Dense": [["f4p", 2]]}, {"Dense": [["=", 0]]}, {"Linear": [{"=": 0}, None]}, {"system": ["true"]}, {"ReLU": [1]},
    {"Sparse": [["i8", 0], {"Dense": [["f4p", 0]]}, [10**6, 10**6]]}, {"Weight": []}, {"__class__": []},
]  # fmt: skip


def test_a_changed_and_signed_structure_is_safe_at_every_place(content, survived):
    structure, streams = opened(content)
    assert survived(signed(structure, streams)) is not None
    chance = random.Random(1)
    everywhere = list(places(structure))
    for path, old in everywhere:
        for value in chance.sample(VALUES, 12):
            if value != old:
                survived(signed(put(structure, path, value), streams))


def test_parts_put_in_the_places_of_others_are_safe(content, survived):
    structure, streams = opened(content)
    chance = random.Random(2)
    everywhere = list(places(structure))
    for _ in range(400):
        (to, _), (_, what) = chance.choice(everywhere), chance.choice(everywhere)
        survived(signed(put(structure, to, what), streams))


def test_changed_and_signed_streams_are_safe(content, survived):
    structure, streams = opened(content)
    chance = random.Random(3)
    for _ in range(600):
        damaged = bytearray(streams)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        survived(signed(structure, bytes(damaged)))


def nested(depth, inside):
    for _ in range(depth):
        inside = {"Sequential": {"0": inside}}
    return inside


def doubled(levels):
    """Layers that each use the one before twice: 2^levels calls from a few bytes."""
    tree = {"ReLU": []}
    row = {"0": tree}
    for level in range(levels):
        row[str(level + 1)] = {"Sequential": {"0": {"=": level}, "1": {"=": level}}}
    return {"Sequential": row}


def sparse(shape):
    return {"Linear": [{"Sparse": [["i8", 0], {"Dense": [["f4p", 0]]}, shape]}, None]}


def gridded(grid):
    return {"Linear": [{"Dense": [["f4p", 1, 1]]}, None, grid]}


FREE_CODES = b"\x00\x00\x00"  # whole numbers of 0 bits, all 0
HARMFUL = {
    "a sparse matrix of 10^12 zeros": with_tree(sparse([10**6, 10**6]), lengths=[0, 0]),
    "a side of 10^30": with_tree(sparse([10**30, 0]), lengths=[0, 0]),
    "10^12 numbers of no bits": with_tree({"Linear": [{"Dense": [["i8", 10**6, 10**6]]}, None]}, FREE_CODES),
    "2^27 numbers of no bits": with_tree({"Linear": [{"Dense": [["i8", 2**13, 2**14]]}, None]}, FREE_CODES),
    "10^12 floats": with_tree({"Linear": [{"Dense": [["f4p", 10**6, 10**6]]}, None]}, b"\x00\x00\x00\x00\x00"),
    "90 levels": with_tree(nested(90, {"ReLU": []})),
    "2^60 calls": with_tree(doubled(60)),
    "50,000 layers": with_tree({"Sequential": {str(index): {"ReLU": []} for index in range(50_000)}}),
    "a wide border of a convolution": with_tree(
        {"Conv2d": [{"Dense": [["f4p", 1, 1, 1, 1]]}, None, 1, [1, 1], [10**6, 10**6]]}, b"\x00\x00\x00\x00\x00"
    ),
    "a step of nothing": with_tree(
        {"Conv2d": [{"Dense": [["f4p", 1, 1, 1, 1]]}, None, 1, [0, 0]]}, b"\x00\x00\x00\x00\x00"
    ),
    "2^24 escapes of a gap": with_tree(sparse([2**12, 2**12]), b"\x01\x01\x80\x80\x80\x08\x00", [7, 0]),
    "a wide border": with_tree({"Sequential": {"0": {"MaxPool2d": [10**9, 1, 10**9]}}}),
    "a large window": with_tree({"AdaptiveAvgPool2d": [[10**6, 10**6]]}),
    "an unknown layer": with_tree({"system": ["touch /tmp/harm"]}),
    "a grid of 17 bits": with_tree(gridded({"Grid": [17, 0.1, 0]}), b"\x00\x00\x00\x00\x00"),
    "a grid of 10^12 bits": with_tree(gridded({"Grid": [ENDLESS, 0.1, 0]}), b"\x00\x00\x00\x00\x00"),
    "a grid of no bits": with_tree(gridded({"Grid": [0, 0.1, 0]}), b"\x00\x00\x00\x00\x00"),
    "a grid without steps": with_tree(gridded({"Grid": [4, 0.0, 0]}), b"\x00\x00\x00\x00\x00"),
    "a grid of steps backwards": with_tree(gridded({"Grid": [4, -0.1, 0]}), b"\x00\x00\x00\x00\x00"),
    "a grid of steps too long": with_tree(gridded({"Grid": [4, 1e300, 0]}), b"\x00\x00\x00\x00\x00"),
    "a grid of a step of 10^400": with_tree(gridded({"Grid": [4, 10**400, 0]}), b"\x00\x00\x00\x00\x00"),
    "a zero beyond its grid": with_tree(gridded({"Grid": [4, 0.1, 16]}), b"\x00\x00\x00\x00\x00"),
    "a zero below its grid": with_tree(gridded({"Grid": [4, 0.1, -1]}), b"\x00\x00\x00\x00\x00"),
    "a grid of one number": with_tree(gridded({"Grid": [4]}), b"\x00\x00\x00\x00\x00"),
    "a grid of a mapping": with_tree(gridded({"Grid": {"bits": 4}}), b"\x00\x00\x00\x00\x00"),
    "a layer in the place of a grid": with_tree(gridded({"ReLU": []}), b"\x00\x00\x00\x00\x00"),
    "two grids at once": with_tree(gridded({"Grid": [4, 0.1, 0], "grid": []}), b"\x00\x00\x00\x00\x00"),
    "a grid alone of 17 bits": with_tree({"Grid": [17, 0.1, 0]}),
    "an attribute": with_tree({"__init__": []}),
    "an unknown Weight": with_tree({"Linear": [{"Popen": ["true"]}, None]}),
    "a number that is none": signed(None, b"", packed=zlib.compress(b"[null,NaN,[]]")[2:-4]),
    "lists without end": signed(None, b"", packed=zlib.compress(b"[" * 500_000)[2:-4]),
    "too long a number": signed(None, b"", packed=zlib.compress(b"9" * 900_000)[2:-4]),
    "negative lengths": with_tree({"ReLU": []}, lengths=[-5, 5]),
    "a network of another zoo": signed([["../../etc/passwd", [1, 28, 28], 10], {"": {}}, []], b""),
    "a huge network of the zoo": signed([["VGG", [65536, 65536, 65536], 65536], {"": {}}, []], b""),
    "an empty network of the zoo": signed([["LeNet-5", [1, 28, 28], 10], {"": {}}, []], b""),
}


@pytest.mark.parametrize("harm", HARMFUL)
def test_what_is_made_to_do_harm_is_refused(harm, refused):
    refused(HARMFUL[harm])


def test_the_same_files_with_a_grid_that_can_be_are_loaded(survived):
    for grid in ({"Grid": [4, 0.1, 15]}, {"Grid": [16, 1e-37, 0]}, {"Grid": [2, 3, 1, True]}):
        assert survived(with_tree(gridded(grid), b"\x00\x00\x00\x00\x00")).grid.bits == grid["Grid"][0]


def test_a_structure_that_unpacks_to_far_more_is_cut_off(refused):
    spaces = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(spaces.compress(b" " * 2**20) for _ in range(200)) + spaces.flush()
    assert len(packed) < 2**18
    refused(signed(None, b"", packed=packed))


def test_limit_bounds_what_is_shown(tmp_path):
    model = layers.Linear(Sparse(torch.tensor([3]), torch.ones(1), (1000, 1000)))
    save(model, tmp_path / "wide")
    assert torch.equal(load(tmp_path / "wide")(torch.ones(1, 1000)), model(torch.ones(1, 1000)))
    with pytest.raises(FileError, match="limit|numbers"):
        load(tmp_path / "wide", limit=999_999)


CHILD = """
import resource, sys
from labkit.storage import FileError, load
import torch
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for path in sys.argv[1:]:
    try:
        load(path)
    except FileError:
        pass
print(peak() - before)
"""


def test_no_harmful_file_takes_much_memory(tmp_path, content):
    structure, streams = opened(content)
    files = list(HARMFUL.values())
    for path, _ in places(structure):
        for value in ([2**14, 2**14], ["i8", 2**26], ["i4", 2**24], ENDLESS):
            files.append(signed(put(structure, path, value), streams))
    paths = [tmp_path / str(index) for index in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30)),
    )
    assert child.returncode == 0, child.stderr
    assert int(child.stdout) < 400 * 1024  # KiB


def test_the_structure_is_plain_json(content):
    structure, _ = opened(content)
    assert json.loads(json.dumps(structure)) == structure
