"""Random compositions of Weights, for property tests."""

import numpy as np
import torch
from hypothesis import strategies as st

from labkit.weights import (
    CP,
    Affine,
    BlockCirculant,
    Circulant,
    Codebook,
    Copied,
    Dense,
    Expanded,
    Fastfood,
    Hashed,
    LowRank,
    Monarch,
    Negated,
    Rotated,
    Separable,
    Signs,
    Sparse,
    TensorTrain,
    ToeplitzLike,
    Translated,
    Tucker2,
    Weight,
)
from labkit.weights.fastfood import diagonals


def random_weight(random: np.random.RandomState, shape: tuple[int, ...], depth: int) -> Weight:
    """Draw a Weight of some shape whose insides are Weights down to some depth."""
    size = int(np.prod(shape))
    kinds = ["dense"]
    if depth > 0:
        kinds += ["affine", "codebook", "hashed", "signs", "sparse"]
        kinds += ["lowrank", "tensortrain"] if len(shape) >= 2 else []
        kinds += ["cp", "separable", "tucker2"] if len(shape) == 4 else []
        kinds += ["structured"] if len(shape) == 2 else []
        kinds += ["transferred"] if len(shape) >= 2 and shape[0] >= 2 else []
    kind = kinds[random.randint(len(kinds))]
    if kind == "affine":
        codes, steps = torch.from_numpy(random.randint(0, 9, size=shape)), 1
        if len(shape) > 1 and random.rand() < 0.5:
            steps = shape[0]
        return Affine(codes, random_weight(random, (steps,), depth - 1), torch.from_numpy(random.randint(0, 9, steps)))
    if kind == "codebook":
        count = random.randint(1, 9)
        codes = torch.from_numpy(random.randint(0, count, size=shape))
        return Codebook(codes, random_weight(random, (count,), depth - 1))
    if kind == "cp":
        (out, *others), rank = shape, random.randint(1, 4)
        rest = [random_weight(random, (rank, side), depth - 1) for side in others]
        return CP(random_weight(random, (out, rank), depth - 1), *rest)
    if kind == "hashed":
        return Hashed(random_weight(random, (random.randint(1, 9),), depth - 1), random.randint(100), shape)
    if kind == "signs":
        steps = shape[0] if len(shape) > 1 and random.rand() < 0.5 else 1
        return Signs(torch.from_numpy(random.randint(0, 2, size=shape)), random_weight(random, (steps,), depth - 1))
    if kind == "sparse":
        positions = np.flatnonzero(random.rand(size) < random.choice([0.0, 0.1, 0.5]))
        return Sparse(torch.from_numpy(positions), random_weight(random, (len(positions),), depth - 1), shape)
    if kind == "lowrank":
        rank = random.randint(1, 4)
        u = random_weight(random, (shape[0], rank), depth - 1)
        return LowRank(u, random_weight(random, (rank, size // shape[0]), depth - 1), shape)
    if kind == "separable":
        (out, inside, height, width), rank = shape, random.randint(1, 4)
        horizontal = random_weight(random, (out, rank, width), depth - 1)
        return Separable(horizontal, random_weight(random, (rank, inside, height), depth - 1))
    if kind == "structured":
        return structured(random, shape, depth)
    if kind == "transferred":
        return transferred(random, shape, depth)
    if kind == "tensortrain":
        rows, columns = digits(random, shape[0]), digits(random, size // shape[0])
        ranks = (1, random.randint(1, 4), random.randint(1, 4), 1)
        cores = zip(ranks, rows, columns, ranks[1:], strict=False)
        return TensorTrain(*(random_weight(random, core, depth - 1) for core in cores), shape)
    if kind == "tucker2":
        (out, inside, *kernel), most, least = shape, random.randint(1, 4), random.randint(1, 4)
        u, v = random_weight(random, (out, most), depth - 1), random_weight(random, (least, inside), depth - 1)
        return Tucker2(u, random_weight(random, (most, least, *kernel), depth - 1), v)
    values = random.randn(*shape).astype(np.float32)
    return Dense(torch.from_numpy(values.astype(np.float16).astype(np.float32) if random.rand() < 0.3 else values))


def structured(random: np.random.RandomState, shape: tuple[int, int], depth: int) -> Weight:
    """Draw a structured matrix whose numbers are Weights."""
    (out, in_), kind, seed = shape, random.randint(5), random.randint(100)

    def part(*sides: int) -> Weight:
        return random_weight(random, sides, depth - 1)

    if kind == 0:
        return Circulant(part(-(-out // in_), in_), seed, shape)
    if kind == 1:
        b = random.randint(1, 9)
        return BlockCirculant(part(-(-out // b), -(-in_ // b), b), shape)
    if kind == 2:
        rank = random.randint(1, 4)
        return ToeplitzLike(part(rank, max(shape)), part(rank, max(shape)), shape)
    if kind == 3:
        return Fastfood(*(part(*diagonals(*shape)) for _ in range(3)), seed, shape)
    # Blocks that are covered whole: 1, the side itself, or a side that halves.
    k, j = (side if random.rand() < 0.5 else 1 for side in (in_, out))
    return Monarch(part(k, j, in_ // k), part(j, out // j, k), shape)


def transferred(random: np.random.RandomState, shape: tuple[int, ...], depth: int) -> Weight:
    """Draw a weight of shared filters, or of 1 x 1 filters beside larger ones, whose numbers are Weights."""
    out, *others = shape

    def part(*sides: int) -> Weight:
        return random_weight(random, sides, depth - 1)

    makers = [lambda: Negated(part(-(-out // 2), *others), out)]
    copies = int(random.randint(1, out + 1))
    makers.append(lambda: Copied(part(-(-out // copies), *others), copies, out))
    if len(shape) == 4:
        inside, height, width = others
        shifts = int(random.randint(1, 1 + int(out**0.5)))
        meta = (-(-out // shifts**2), inside, height + shifts - 1, width + shifts - 1)
        makers.append(lambda: Translated(part(*meta), shifts, out))
        turns = [t for t in (1, 2, 4) if out % t == 0][random.randint(1 + (out % 2 == 0) + (out % 4 == 0))]
        slices = turns if inside % turns == 0 and random.rand() < 0.5 else 1
        if height == width:
            makers.append(lambda: Rotated(part(out // turns, inside // slices, slices, height, width), turns))
        if height % 2 and width % 2:
            makers.append(lambda: Expanded(part(1, inside), part(out - 1, inside, height, width)))
    return makers[random.randint(len(makers))]()


def digits(random: np.random.RandomState, side: int) -> tuple[int, int, int]:
    """Draw three whole numbers whose product is a side."""
    first = random.choice([number for number in range(1, side + 1) if side % number == 0])
    second = random.choice([number for number in range(1, side // first + 1) if side // first % number == 0])
    return int(first), int(second), int(side // first // second)


@st.composite
def weights(draw, shape: tuple[int, ...] | None = None) -> Weight:
    """A hypothesis strategy: any composition, of any small shape unless one is given."""
    random = np.random.RandomState(draw(st.integers(0, 2**31 - 1)))
    if shape is None:
        shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    return random_weight(random, shape, draw(st.integers(0, 3)))
